// Writes the JSON Schema of the boards, generated from the types in @grafana/schema: `npm run schema`.
import { writeFileSync } from 'node:fs';
import { createGenerator } from 'ts-json-schema-generator';

const RAW = 'node_modules/@grafana/schema/dist/types/raw';
const PANELS = ['bargauge', 'piechart', 'stat', 'table', 'timeseries'];

function schemaOf(path, type) {
  const { definitions } = createGenerator({ path: `${RAW}/${path}/x/types.gen.d.ts`, type, skipTypeCheck: true }).createSchema(type);
  for (const name of Object.keys(definitions)) {
    // Defaults are declared as values; they are no part of what a board may say.
    if (name.startsWith('default') || name.startsWith('Partial')) delete definitions[name];
  }
  return { $schema: 'http://json-schema.org/draft-07/schema#', definitions };
}

const schemas = { dashboard: schemaOf('dashboard', 'Dashboard') };
for (const panel of PANELS) schemas[panel] = schemaOf(`composable/${panel}/panelcfg`, '*');
writeFileSync(process.argv[2], JSON.stringify(schemas, null, 1) + '\n');
