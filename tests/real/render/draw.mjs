// Draws boards: reads jobs as JSON from standard input, writes PNGs, prints what each panel got as JSON.
//   [{ "board": {…}, "prometheus": "http://…", "now": seconds, "scrapeSeconds": 15, "variables": {…}, "theme": "dark", "png": "…" }]
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const jobs = JSON.parse(readFileSync(0, 'utf8'));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const bundled = (name) => new URL(`build/${name}`, import.meta.url).pathname;
const results = [];
for (const job of jobs) {
  // Higher than any board: tables draw only the rows that are in sight.
  const page = await browser.newPage({ viewport: { width: 1480, height: 1600 }, deviceScaleFactor: 1, timezoneId: 'UTC', locale: 'en-US' });
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  const address = `${job.prometheus}/board.html`; // on Prometheus' own origin, so that the page may ask it
  await page.route(address, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><body style="margin:0"><div id="root">' }));
  await page.goto(address);
  await page.addStyleTag({ path: bundled('page.css') });
  await page.addScriptTag({ path: bundled('page.js') });
  const panels = await page.evaluate((wanted) => window.draw(wanted), job);
  const { width, height } = await page.locator('#root').boundingBox();
  await page.screenshot({ path: job.png, fullPage: true, clip: { x: 0, y: 0, width, height } });
  results.push({ png: job.png, panels, complaints });
  await page.close();
}
await browser.close();
console.log(JSON.stringify(results));
