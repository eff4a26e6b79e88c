"""What a person sees of a starting stack: each part ticked off as it comes up, on stderr."""

from __future__ import annotations

from rich.console import Console

from deploy.local.state import StackState


class Progress:
    """Prints the supervisor's report."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def part_up(self, name: str, endpoint: str, seconds: float) -> None:
        """A line with a tick."""
        self._console.print(f"  [green]✓[/] {name:<12}{endpoint:<28}{seconds:5.1f} s")

    def note(self, text: str) -> None:
        """A line without."""
        self._console.print(f"  [yellow]·[/] {text}")

    def ready(self, state: StackState, seconds: float) -> None:
        """The addresses, after the probe event went the whole way."""
        self._console.print(f"[bold green]ready[/] in {seconds:.1f} s: a probe event was posted and read back")
        self._console.print(f"  collector    {state.collector}/v1/events")
        self._console.print(f"  clickhouse   {state.clickhouse}")
        self._console.print(f"  kafka        {state.kafka}")
        self._console.print("  try          snag simulate, snag funnel show checkout, snag status")
        self._console.print("  stop         Ctrl-C, or: snag down")
