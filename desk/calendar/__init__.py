"""The calendar: when somebody is free, and who has taken which time."""
