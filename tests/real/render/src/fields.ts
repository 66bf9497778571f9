// Field configuration and transformations, applied by Grafana's own code.
import {
  applyFieldOverrides,
  FieldConfigOptionsRegistry,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
  type DataFrame,
  type FieldConfigSource,
  type GrafanaTheme2,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

const STANDARD = ['unit', 'decimals', 'color', 'thresholds', 'mappings', 'min', 'max', 'noValue', 'displayName', 'links'];
const CUSTOM = [
  'align', 'cellOptions', 'width',
  'drawStyle', 'barAlignment', 'barWidthFactor', 'fillOpacity', 'lineWidth', 'lineStyle', 'lineInterpolation',
  'showPoints', 'pointSize', 'spanNulls', 'stacking', 'axisSoftMin',
];

function registry(): FieldConfigOptionsRegistry {
  const item = (id: string, isCustom: boolean): any => ({
    id: isCustom ? `custom.${id}` : id,
    path: id,
    name: id,
    isCustom,
    process: (value: unknown) => value,
    shouldApply: () => true,
  });
  const made = new FieldConfigOptionsRegistry();
  STANDARD.forEach((id) => made.register(item(id, false)));
  CUSTOM.forEach((id) => made.register(item(id, true)));
  return made;
}

const byId = new Map(Object.values(standardTransformers).map((info: any) => [info.id, info])); // some go by two names
standardTransformersRegistry.setInit(() =>
  [...byId.values()].map((info) => ({ id: info.id, name: info.name, transformation: async () => info }) as any)
);

export async function transformed(frames: DataFrame[], steps: any[]): Promise<DataFrame[]> {
  return firstValueFrom(transformDataFrame(steps, frames, { interpolate: (text: string) => text } as any));
}

/** What Grafana assumes where a board says nothing: whatever reaches 80 is red. */
const ASSUMED = {
  color: { mode: 'thresholds' },
  thresholds: { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] },
};

export function configured(frames: DataFrame[], fieldConfig: FieldConfigSource, theme: GrafanaTheme2): DataFrame[] {
  return applyFieldOverrides({
    data: frames,
    fieldConfig: { ...fieldConfig, defaults: { ...ASSUMED, ...fieldConfig.defaults } as any },
    fieldConfigRegistry: registry(),
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
}
