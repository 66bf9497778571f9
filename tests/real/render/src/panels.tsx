// The kinds of panel: Grafana's components where @grafana/ui has them, the pie drawn here where it has none.
import {
  cacheFieldDisplayNames,
  getDisplayProcessor,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  VizOrientation,
  type DataFrame,
  type FieldDisplay,
  type GrafanaTheme2,
  type TimeRange,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

export interface PanelProps {
  panel: any;
  frames: DataFrame[];
  range: TimeRange;
  theme: GrafanaTheme2;
  width: number;
  height: number;
}

export function Panel(props: PanelProps) {
  const { panel, frames } = props;
  const isEmpty = frames.length === 0 || frames.every((frame) => frame.length === 0);
  if (isEmpty && panel.type !== 'stat') return <Empty {...props} />;
  switch (panel.type) {
    case 'stat':
      return <Stat {...props} />;
    case 'bargauge':
      return <Bars {...props} />;
    case 'timeseries':
      return <Chart {...props} />;
    case 'table':
      return <Rows {...props} />;
    case 'piechart':
      return <Pie {...props} />;
    default:
      throw new Error(`no way to draw a panel of type ${panel.type}`);
  }
}

function Empty({ panel, theme, height }: PanelProps) {
  const style = { height, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary };
  return <div style={style}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
}

function displayed({ panel, frames, theme }: PanelProps): FieldDisplay[] {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: frames,
    timeZone: 'utc',
  });
}

function Stat(props: PanelProps) {
  const { panel, theme, width, height } = props;
  const { options } = panel;
  return (
    <VizRepeater
      source={props.frames}
      getValues={() => displayed(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      orientation={VizOrientation.Auto}
      autoGrid
      renderCounter={0}
      width={width}
      height={height}
      renderValue={({ value, alignmentFactors, width, height, count }: any) => (
        <BigValue
          value={value.display}
          count={count}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          alignmentFactors={alignmentFactors}
          text={options.text}
          width={width}
          height={height}
          theme={theme}
        />
      )}
    />
  );
}

function Bars(props: PanelProps) {
  const { panel, theme, width, height } = props;
  const { options } = panel;
  return (
    <VizRepeater
      source={props.frames}
      getValues={() => displayed(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      orientation={options.orientation}
      itemSpacing={8}
      minVizHeight={options.minVizHeight}
      minVizWidth={options.minVizWidth}
      maxVizHeight={options.maxVizHeight}
      renderCounter={0}
      width={width}
      height={height}
      renderValue={({ value, alignmentFactors, width, height, orientation }: any) => (
        <BarGauge
          value={value.display}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          field={value.field}
          alignmentFactors={alignmentFactors}
          orientation={orientation}
          displayMode={options.displayMode}
          namePlacement={options.namePlacement}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          text={options.text}
          width={width}
          height={height}
          theme={theme}
        />
      )}
    />
  );
}

function Chart({ panel, frames, range, theme, width, height }: PanelProps) {
  // As Grafana's own panel does before it hands the frames over: names first, then colours by name or by order.
  cacheFieldDisplayNames(frames);
  frames.forEach(({ fields }, seriesIndex) => {
    fields[1].state = { ...fields[1].state, seriesIndex };
    fields[1].display = getDisplayProcessor({ field: fields[1], theme });
  });
  return <TimeSeries frames={frames} timeRange={range} timeZone="utc" width={width} height={height} legend={panel.options.legend} options={panel.options} />;
}

function Rows({ panel, frames, width, height }: PanelProps) {
  const { options } = panel;
  cacheFieldDisplayNames(frames);
  return (
    <TableNG
      data={frames[options.frameIndex]}
      width={width}
      height={height}
      sortBy={options.sortBy}
      cellHeight={options.cellHeight}
      noValue={panel.fieldConfig.defaults.noValue}
      fieldConfig={panel.fieldConfig}
      enableVirtualization={false}
    />
  );
}

const SLICE_GAP = 0.012;

function Pie(props: PanelProps) {
  const { theme, width, height } = props;
  const slices = displayed(props).sort((one, other) => other.display.numeric - one.display.numeric);
  const whole = slices.reduce((sum, slice) => sum + slice.display.numeric, 0);
  const size = Math.min(height, width * 0.44);
  let turned = 0;
  return (
    <div style={{ display: 'flex', alignItems: 'center', gap: 16, width, height }}>
      <svg width={size} height={size} viewBox="-100 -100 200 200">
        {slices.map(({ display }) => {
          const share = display.numeric / whole;
          const from = turned;
          turned += share;
          const middle = (from + share / 2) * 2 * Math.PI;
          return (
            <g key={display.title}>
              <path d={ring(from, turned)} fill={display.color} />
              {share > 0.04 && (
                <text x={77 * Math.sin(middle)} y={-77 * Math.cos(middle) + 4} fontSize={12} textAnchor="middle" fill="#111217">
                  {Math.round(share * 100)}%
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <table style={{ fontSize: 12, flexGrow: 1, color: theme.colors.text.primary }}>
        <tbody>
          {slices.map(({ display }) => (
            <tr key={display.title} style={{ borderBottom: `1px solid ${theme.colors.border.weak}` }}>
              <td style={{ padding: '4px 8px 4px 0', whiteSpace: 'nowrap' }}>
                <span style={{ display: 'inline-block', width: 14, height: 4, borderRadius: 2, background: display.color, marginRight: 8, verticalAlign: 'middle' }} />
                {display.title}
              </td>
              <td style={{ textAlign: 'right', paddingLeft: 8 }}>{(display.prefix ?? '') + display.text + (display.suffix ?? '')}</td>
              <td style={{ textAlign: 'right', width: 36, paddingLeft: 8 }}>{Math.round((display.numeric / whole) * 100)}%</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The outline of a slice of the ring, from one share of the circle to another, clockwise from the top. */
function ring(from: number, to: number): string {
  const gap = to - from < 1 ? SLICE_GAP / 2 / Math.PI : 0;
  const [start, end] = [from + gap, Math.min(Math.max(to - gap, from + gap), from + 0.9999)].map((share) => share * 2 * Math.PI);
  const at = (angle: number, radius: number) => `${radius * Math.sin(angle)} ${-radius * Math.cos(angle)}`;
  const isLarge = end - start > Math.PI ? 1 : 0;
  return `M ${at(start, 98)} A 98 98 0 ${isLarge} 1 ${at(end, 98)} L ${at(end, 56)} A 56 56 0 ${isLarge} 0 ${at(start, 56)} Z`;
}
