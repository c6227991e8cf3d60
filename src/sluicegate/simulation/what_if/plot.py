"""The picture of what a scenario came to: four panels, a colour for each schedule."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluicegate.simulation.what_if.course import Course, Recovery
from sluicegate.simulation.what_if.sample import Sample
from sluicegate.simulation.what_if.scenario import Scenario
from sluicegate.simulation.what_if.words import clock_text, outages_text, span_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PlotError", "check_plots", "draw"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D00")
"""Okabe and Ito's, which people with any colour vision can tell apart."""
_DASHES = ("-", "--", "-.", ":")
_INK, _FAINT, _OUTAGE = "#22272e", "#6b7480", "#f3d9d4"
_HOUR_S = 3600.0
_INCHES = (12.5, 8.6)
_DPI = 110
_STYLE: Any = {
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": "#b8bfc7",
    "axes.labelcolor": _INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "svg.hashsalt": "sluicegate",
    "svg.fonttype": "path",
}


class PlotError(Exception):
    """No picture could be drawn; says why, and what to do."""


def draw(
    files: Sequence[Path], scenario: Scenario, courses: Sequence[Course], sample: Sample
) -> None:
    """Draw the picture into files, each as its ending says, such as `.png` or `.svg`.

    Args:
        files: where to; written anew.
        scenario: what was played.
        courses: what came of it, one for each schedule.
        sample: which part of it was played.

    Raises:
        PlotError: matplotlib is not installed, or a file cannot be written.
    """
    check_plots()
    import matplotlib as mpl  # noqa: PLC0415 - an extra
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor="white")
        FigureCanvasAgg(figure)
        _fill(figure, scenario, courses, sample)
        for file in files:
            metadata = {"Date": None} if file.suffix == ".svg" else None
            try:
                figure.savefig(file, metadata=metadata)
            except (OSError, ValueError) as error:
                raise PlotError(f"cannot write {file}: {error}") from error


def check_plots() -> None:
    """See whether pictures can be drawn.

    Raises:
        PlotError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
    except ImportError:
        raise PlotError(
            "a picture needs matplotlib, which is not installed: pip install 'sluicegate[plots]'"
        ) from None
    del mpl


def _fill(figure: "Figure", scenario: Scenario, courses: Sequence[Course], sample: Sample) -> None:
    grid = figure.add_gridspec(
        2, 2, left=0.075, right=0.975, top=0.835, bottom=0.075, hspace=0.36, wspace=0.2
    )
    panels = [figure.add_subplot(grid[row, column]) for row in (0, 1) for column in (0, 1)]
    backlog, attempts, dead, burst = panels
    _lines(backlog, "Backlog", "messages waiting", courses, [each.backlog for each in courses])
    _lines(
        attempts, "Attempts", "attempts per minute", courses, [each.attempts for each in courses]
    )
    normal = scenario.rate_per_s * 60
    attempts.axhline(normal, color=_FAINT, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
    attempts.set_yscale("symlog", linthresh=max(1.0, normal / 10), linscale=0.6)
    attempts.set_ylim(bottom=0, top=2 * max(normal, *(max(each.attempts) for each in courses)))
    attempts.yaxis.set_major_formatter(_short)
    attempts.annotate(
        "normal",
        (0.005, normal),
        xycoords=("axes fraction", "data"),
        va="bottom",
        xytext=(2, 2),
        textcoords="offset points",
        color=_FAINT,
        fontsize=8.5,
    )
    _lines(
        dead,
        "Dead letters",
        "messages given up, so far",
        courses,
        [each.dead_letters for each in courses],
    )
    for panel in (backlog, attempts, dead):
        _time(panel, scenario)
    _burst(burst, scenario, courses)
    _head(figure, panels[0], scenario, sample)


def _lines(
    panel: "Axes",
    title: str,
    label: str,
    courses: Sequence[Course],
    series: Sequence[tuple[int, ...]],
) -> None:
    for number, (course, values) in enumerate(zip(courses, series, strict=True)):
        panel.plot(
            [minute / 60 for minute in range(len(values))],
            values,
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=_DASHES[number % len(_DASHES)],
            linewidth=1.8,
            label=course.schedule,
            drawstyle="steps-post" if title == "Attempts" else "default",
        )
    panel.set_title(title)
    panel.set_ylabel(label)
    panel.set_ylim(bottom=0)
    if not any(map(max, series)):
        panel.set_ylim(0, 1)
        panel.set_yticks([0])
        panel.text(
            0.5, 0.5, "none", ha="center", va="center", transform=panel.transAxes, color=_FAINT
        )
    panel.grid(axis="y", color="#e6e9ec", linewidth=0.8)
    panel.yaxis.set_major_formatter(_short)


def _time(panel: "Axes", scenario: Scenario) -> None:
    """Let the x axis tell the time, and shade the outages."""
    hours = scenario.duration_s / _HOUR_S
    step = next(s for s in (1 / 6, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48) if hours / s <= 9 or s == 48)  # noqa: PLR2004 - ticks that fit
    panel.set_xlim(0, hours)
    panel.set_xticks([step * n for n in range(int(hours / step + 1e-9) + 1)])
    panel.xaxis.set_major_formatter(lambda hour, _: clock_text(hour * _HOUR_S))
    panel.set_xlabel("time")
    for outage in scenario.outages:
        panel.axvspan(
            outage.from_s / _HOUR_S, outage.until_s / _HOUR_S, color=_OUTAGE, linewidth=0, zorder=0
        )


def _burst(panel: "Axes", scenario: Scenario, courses: Sequence[Course]) -> None:
    """Compare what receivers get when they are back."""
    panel.set_title("Burst on recovery")
    panel.grid(axis="x", color="#e6e9ec", linewidth=0.8)
    if all(each.recovery is None for each in courses):
        panel.text(0.5, 0.5, "no outage", ha="center", va="center", transform=panel.transAxes)
        return
    widest = 1.0
    for number, course in enumerate(courses):
        found = course.recovery
        if found is None:
            continue
        _bars(panel, number, found)
        widest = max(widest, found.times_normal_per_minute, found.times_normal_per_second)
        panel.annotate(
            f"{course.schedule}: {_recovered(found.backlog_normal_after_s)}",
            (0, number - 0.36),
            va="bottom",
            xytext=(5, 0),
            textcoords="offset points",
            fontsize=9.5,
            weight="bold",
            color=_COLOURS[number % len(_COLOURS)],
        )
    panel.axvline(1, color=_FAINT, linewidth=0.9, linestyle=(0, (2, 3)))
    panel.set_yticks([])
    panel.set_ylim(len(courses) - 0.55, -0.75)
    panel.set_xlim(0, widest * 1.85)
    panel.set_xlabel(f"times the normal rate of {scenario.rate_per_s:,.4g} messages/s")


def _bars(panel: "Axes", number: int, found: Recovery) -> None:
    minute, second = _short(found.attempts_per_minute_max), _short(found.attempts_per_second_max)
    for offset, strength, times, text in (
        (-0.19, 1.0, found.times_normal_per_minute, f"{minute} in the busiest minute"),
        (0.12, 0.55, found.times_normal_per_second, f"{second} in the busiest second"),
    ):
        panel.barh(
            number + offset,
            times,
            height=0.28,
            color=_COLOURS[number % len(_COLOURS)],
            alpha=strength,
        )
        panel.annotate(
            f"{times:,.3g} times: {text}",
            (times, number + offset),
            va="center",
            xytext=(5, 0),
            textcoords="offset points",
            fontsize=8.8,
        )


def _head(figure: "Figure", panel: "Axes", scenario: Scenario, sample: Sample) -> None:
    figure.text(0.075, 0.955, "What if: " + outages_text(scenario), fontsize=15, weight="bold")
    figure.text(
        0.075,
        0.925,
        f"{scenario.endpoints:,} endpoints, {scenario.rate_per_s:,.4g} messages/s · "
        + sample.text(),
        fontsize=10,
        color=_FAINT,
    )
    handles, labels = panel.get_legend_handles_labels()
    if scenario.outages:
        from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

        handles = [*handles, Patch(facecolor=_OUTAGE)]
        labels = [*labels, "outage"]
    figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0.069, 0.91),
        ncols=5,
        frameon=False,
        fontsize=10,
        handlelength=2.4,
        columnspacing=1.8,
        borderpad=0.2,
    )


def _recovered(seconds: int | None) -> str:
    """Say when the backlog was back to normal."""
    if seconds is None:
        return "not back to normal"
    return f"back to normal after {span_text(seconds)}"


def _short(number: float, _: object = None) -> str:
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:,.3g}{unit}"
    return f"{number:,.3g}"
