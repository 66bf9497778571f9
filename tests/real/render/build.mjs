// Bundles the page that draws a board; `node build.mjs` writes build/page.js.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as esbuild from 'esbuild';

// Grafana's .mjs files import CommonJS packages and expect Babel's reading of `default`, not Node's: load the files
// as plain .js, and put a module in front of those packages that hands out whichever `default` there is.
const COMMONJS =
  /^(react-custom-scrollbars-2|react-highlight-words|react-transition-group|react-inlinesvg|react-use\/.*|rc-.*|@rc-component\/.*|react-table|react-loading-skeleton|react-select.*|react-calendar|react-dropzone|react-hook-form)$/;
const readAsBabelDoes = {
  name: 'read-as-babel-does',
  setup(build) {
    build.onLoad({ filter: /@grafana[/\\].*\.mjs$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8'),
      loader: 'js',
      resolveDir: dirname(path),
    }));
    build.onResolve({ filter: COMMONJS }, ({ path, importer, resolveDir }) =>
      importer.endsWith('.mjs') ? { path, namespace: 'front', pluginData: resolveDir } : undefined
    );
    build.onLoad({ filter: /.*/, namespace: 'front' }, ({ path, pluginData }) => {
      const name = JSON.stringify(path);
      return {
        contents: `export * from ${name}; import * as whole from ${name}; export default (whole.default ?? whole);`,
        loader: 'ts',
        resolveDir: pluginData,
      };
    });
  },
};

await esbuild.build({
  entryPoints: ['src/page.tsx'],
  outfile: 'build/page.js',
  bundle: true,
  format: 'iife',
  platform: 'browser',
  minify: true,
  plugins: [readAsBabelDoes],
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.svg': 'dataurl', '.ttf': 'dataurl', '.png': 'dataurl', '.woff2': 'dataurl' },
  logLevel: 'error',
});
