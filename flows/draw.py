"""A scenario as a picture: Mermaid text, drawn from the compiled machine."""

from __future__ import annotations

from flows.definition import Finish
from flows.machine import Compiled


def mermaid(scenario: Compiled) -> str:
    """A `stateDiagram-v2`. Interrupts come from one box, "at any question", as they would from nearly every state."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for trigger, event in scenario.machine.events.items():
        for source, transitions in event.transitions.items():
            for transition in transitions:
                interrupts = trigger.startswith("interrupt:")
                came_from = "any" if interrupts else _box(source)
                # A digression comes back to the question it left, whichever that is.
                leads_to = "any" if interrupts and transition.dest == source else _box(transition.dest or source)
                labels = arrows.setdefault((came_from, leads_to), [])
                label = trigger.removeprefix("interrupt:")
                if label not in labels:
                    labels.append(label)
    lines = ["stateDiagram-v2", f"    [*] --> {_box(scenario.scenario.start)}"]
    lines.extend(f'    state "{name}" as {_box(name)}' for name in scenario.machine.states)
    if any("any" in ends for ends in arrows):
        lines.append('    state "at any question" as any')
    for (came_from, leads_to), labels in arrows.items():
        lines.append(f"    {came_from} --> {leads_to} : {', '.join(labels)}")
    for name, node in scenario.nodes.items():
        if isinstance(node.task, Finish):
            lines.append(f"    {_box(name)} --> [*] : {node.task.kind}")
    return "\n".join(lines) + "\n"


def _box(name: str) -> str:
    """An id that is no word of Mermaid's own (`end`, `state`) and has no colon: prefixes keep the kinds apart."""
    return f"x_{name.replace(':', '_')}" if ":" in name else f"s_{name}"
