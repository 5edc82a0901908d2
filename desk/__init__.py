"""What is true: customers, calendar, conversations, messages. No HTTP, no vendor, no await."""
