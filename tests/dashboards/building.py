"""What the dashboards have in common: panels, rows laid out on the grid, variables, links.

Built with Grafana's own SDK for the schema of Grafana 10.1, which later versions read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models import prometheus as prom

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG: Final = "racelab"
GRID_COLUMNS: Final = 24
LIVE_PAGE: Final = "${auditor_url}/"
LAST: Final = "lastNotNull"


@dataclass(frozen=True)
class Query:
    """One PromQL query; `legend` names its series, with labels as {{label}}."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Placed:
    """A panel with its place in a row: columns of 24, and a height of about 30 pixels each."""

    panel: Any  # a builder: the SDK's panels have no type for what they have in common
    width: int
    height: int


@dataclass(frozen=True)
class Row:
    """A titled row of panels, which go on in the next line where 24 columns are full."""

    title: str
    panels: Sequence[Placed]


def thresholds(*steps: tuple[float | None, str]) -> build.ThresholdsConfig:
    """Colours from a value on; None is the colour below all values."""
    found = [model.Threshold(value=value, color=colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


# Money to the cent: anything but 0.00 is wrong.
NOT_ZERO: Final = ((None, "red"), (-0.005, "green"), (0.005, "red"))
ABOVE_ZERO: Final = ((None, "green"), (1, "red"))
NEUTRAL: Final = ((None, "blue"),)


def _targets(queries: Iterable[Query], *, kind: str, form: prom.PromQueryFormat) -> list[Any]:
    found = []
    for number, one in enumerate(queries):
        target = query.Dataquery().expr(one.expr).ref_id(chr(ord("A") + number)).format(form).datasource(SOURCE)
        target = target.instant() if kind == "instant" else target.range()
        found.append(target.legend_format(one.legend) if one.legend else target)
    return found


def _common(panel: Any, title: str, description: str, unit: str, no_value: str) -> Any:
    return panel.title(title).description(description).datasource(SOURCE).unit(unit).no_value(no_value)


def _over_time(panel: Any, queries: Iterable[Query], width: int, height: int, decimals: int | None = None) -> Placed:
    """Finish a panel of series over time."""
    if decimals is not None:
        panel = panel.decimals(decimals)
    return Placed(panel.targets(_targets(queries, kind="range", form=prom.PromQueryFormat.TIME_SERIES)), width, height)


def graph(
    title: str,
    description: str,
    *queries: Query,
    width: int,
    height: int = 8,
    unit: str = "short",
    no_value: str = "nothing in this time",
    decimals: int | None = None,
    limits: Sequence[tuple[float | None, str]] = (),
    calcs: Sequence[str] = (LAST, "max"),
    links: Sequence[build.DashboardLink] = (),
) -> Placed:
    """Curves over time, with a legend that tells their figures; `limits` are drawn as lines."""
    legend = common.VizLegendOptions().display_mode(look.LegendDisplayMode.TABLE).show_legend(True)
    legend = legend.placement(look.LegendPlacement.BOTTOM).calcs(list(calcs))
    tooltip = common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI).sort(look.SortOrder.DESCENDING)
    panel = timeseries.Panel().legend(legend).tooltip(tooltip).line_width(2).fill_opacity(8)
    panel = panel.show_points(look.VisibilityMode.AUTO).span_nulls(False)
    panel = _common(panel, title, description, unit, no_value)
    if links:
        panel = panel.links(list(links))
    if limits:
        style = common.GraphThresholdsStyleConfig().mode(look.GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds(thresholds(*limits)).thresholds_style(style)
    return _over_time(panel, queries, width, height, decimals)


def figure(
    title: str,
    description: str,
    *queries: Query,
    width: int,
    height: int = 8,
    unit: str = "short",
    no_value: str = "none",
    decimals: int | None = None,
    limits: Sequence[tuple[float | None, str]] = NEUTRAL,
) -> Placed:
    """Tell the last values in large letters, coloured by thresholds."""
    panel = stat.Panel().reduce_options(common.ReduceDataOptions().calcs([LAST]))
    panel = panel.color_mode(look.BigValueColorMode.BACKGROUND).graph_mode(look.BigValueGraphMode.NONE)
    panel = _common(panel, title, description, unit, no_value).thresholds(thresholds(*limits))
    return _over_time(panel, queries, width, height, decimals)


def bars(
    title: str,
    description: str,
    *queries: Query,
    width: int,
    height: int = 8,
    unit: str = "short",
    no_value: str = "none",
    limits: Sequence[tuple[float | None, str]] = NEUTRAL,
) -> Placed:
    """Show the last value of each series as a bar."""
    panel = bargauge.Panel().reduce_options(common.ReduceDataOptions().calcs([LAST]))
    panel = panel.display_mode(look.BarGaugeDisplayMode.BASIC).orientation(look.VizOrientation.HORIZONTAL).min(0)
    panel = _common(panel, title, description, unit, no_value).thresholds(thresholds(*limits))
    return _over_time(panel, queries, width, height)


def heat_map(
    title: str, description: str, expr: str, *, width: int, height: int = 8, no_value: str = "nothing in this time"
) -> Placed:
    """How many fell into each bucket of a histogram, over time."""
    colours = heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    panel = heatmap.Panel().calculate(False).color(colours).y_axis(heatmap.YAxisConfig().unit("s"))
    panel = _common(panel, title, description, "short", no_value)
    return Placed(
        panel.targets(_targets([Query(expr, "{{le}}")], kind="range", form=prom.PromQueryFormat.HEATMAP)), width, height
    )


def listing(
    title: str,
    description: str,
    *queries: Query,
    width: int,
    height: int = 8,
    columns: dict[str, str],
    units: dict[str, str] | None = None,
    no_value: str = "none",
) -> Placed:
    """Tabulate the present values: `columns` renames the fields that are kept, in this order."""
    panel = _common(table.Panel(), title, description, "short", no_value)
    kept = list(columns)
    keep: Any = {"include": {"names": kept}}
    order: Any = {"indexByName": {name: place for place, name in enumerate(kept)}, "renameByName": columns}
    for name, options in (("merge", {}), ("filterFieldsByName", keep), ("organize", order)):
        panel = panel.with_transformation(model.DataTransformerConfig(id_val=name, options=options))
    for column, unit in (units or {}).items():
        panel = panel.override_by_name(columns[column], [model.DynamicConfigValue(id_val="unit", value=unit)])
    return Placed(panel.targets(_targets(queries, kind="instant", form=prom.PromQueryFormat.TABLE)), width, height)


class Annotation(model.AnnotationQuery):
    """An annotation at the time that a series' value says, with words made of its labels.

    The SDK's model does not know the fields that Grafana's Prometheus data source reads for this.
    """

    def __init__(self, name: str, expr_seconds: str, colour: str, words: str) -> None:
        super().__init__(name=name, datasource=SOURCE, icon_color=colour, expr=f"{expr_seconds} * 1000")
        self._words = words

    def to_json(self) -> dict[str, object]:
        """Return what is stored."""
        own = {"useValueForTime": True, "titleFormat": self.name, "textFormat": self._words, "step": "5s"}
        return {**super().to_json(), **own}


def source_variable() -> build.DatasourceVariable:
    """Choose among Grafana's Prometheus data sources."""
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def label_variable(name: str, label: str, series: str, of: str, description: str) -> build.QueryVariable:
    """Choose among the values of a label of a series; all of them, also the empty one, when nothing is chosen."""
    wanted: dict[str, object] = {"query": f"label_values({series}, {of})", "refId": f"values-of-{name}"}
    everything = model.VariableOption(selected=True, text="All", value="$__all")
    chosen = build.QueryVariable(name).label(label).description(description).query(wanted).datasource(SOURCE)
    chosen = chosen.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    chosen = chosen.sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    return chosen.multi(True).include_all(True).all_value(".*").current(everything)


def namespace_variable(series: str) -> build.QueryVariable:
    """Choose among the namespaces in which the chart is installed; a local lab has none."""
    return label_variable(
        "namespace", "Namespace", series, "namespace", "Where the lab is installed; empty for a local one"
    )


def auditor_variable() -> build.TextBoxVariable:
    """Ask for the auditor's address, which a browser has to reach."""
    words = "The auditor's address as your browser reaches it; the links to the live page lead there"
    default = "http://localhost:9000"
    option = model.VariableOption(selected=True, text=default, value=default)
    box = build.TextBoxVariable("auditor_url").label("Auditor").description(words).default_value(default)
    return box.current(option).options([option])


def live_page_link(title: str = "Live page") -> build.DashboardLink:
    """Lead to the auditor's own page."""
    link = build.DashboardLink(title).type(model.DashboardLinkType.LINK).url(LIVE_PAGE).icon("external link")
    return link.tooltip("The auditor's page: drift as it happens, and each anomaly drawn").target_blank(True)


def dashboard(
    title: str,
    description: str,
    *,
    variables: Iterable[Any],
    rows: Iterable[Row],
    annotations: Iterable[Annotation] = (),
    refresh: str = "5s",
) -> str:
    """Return a dashboard as the JSON that is committed."""
    board = build.Dashboard(f"racelab: {title}").uid(f"racelab-{title.lower()}").description(description)
    board = board.tags([TAG]).timezone("browser").refresh(refresh).time("now-15m", "now").readonly()
    board = board.tooltip(model.DashboardCursorSync.CROSSHAIR)
    others = build.DashboardLink("racelab").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    board = board.links([others.include_vars(False).keep_time(True), live_page_link()])
    for variable in (source_variable(), *variables, auditor_variable()):
        board = board.with_variable(variable)
    made = board.build()
    made.panels = _laid_out(rows)
    made.annotations = model.AnnotationContainer(list_val=list(annotations))
    return json.dumps(json.loads(JSONEncoder().encode(made)), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _laid_out(rows: Iterable[Row]) -> list[Any]:
    """Number the panels and put them on the grid, line by line."""
    found: list[Any] = []
    top = 0
    for row in rows:
        heading = build.Row(row.title).build()
        heading.id_val, heading.grid_pos = len(found) + 1, model.GridPos(x=0, y=top, w=GRID_COLUMNS, h=1)
        found.append(heading)
        top, left, lowest = top + 1, 0, 0
        for placed in row.panels:
            if left + placed.width > GRID_COLUMNS:
                top, left, lowest = top + lowest, 0, 0
            panel = placed.panel.build()
            panel.id_val = len(found) + 1
            panel.grid_pos = model.GridPos(x=left, y=top, w=placed.width, h=placed.height)
            found.append(panel)
            left, lowest = left + placed.width, max(lowest, placed.height)
        top += lowest
    return found
