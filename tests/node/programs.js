'use strict';
// Shared by the tests: runs programs in separate processes, without any variable of telemetry.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ENTRY = path.resolve(__dirname, '../../bindings/node/lib/index.js');
const READ =
  /^(OTEL_|TELEMETRY_|DJP_|ENABLE_|TRACES_|PROM_|JAEGER_|(ENVIRONMENT|ENV|NODE_ENV|SERVICE_NAME)$)/;
const DEADLINE_MS = 60000;

/** Returns this environment without the variables of telemetry, plus the given ones. */
function cleanEnvironment(extra) {
  const kept = Object.entries(process.env).filter(([name]) => !READ.test(name));
  return { ...Object.fromEntries(kept), ...extra };
}

function temporary() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'djp-node-'));
}

/** Returns the variables of a program that exports spans into a file. */
function intoFile(folder) {
  return {
    TELEMETRY_ENABLED: 'true',
    TELEMETRY_BACKEND: 'hybrid',
    OTEL_TRACE_SAMPLE: '1.0',
    OTEL_TRACES_EXPORTER: 'file',
    DJP_TELEMETRY_FILE_PATH: path.join(folder, 'spans.jsonl'),
  };
}

/**
 * Runs `source` as a program in which `t` is the package. Resolves to code, signal, stdout and
 * stderr; `started` has the lines of stderr that log a start, and stderr lacks them. `entry` is the
 * file that `t` is loaded from.
 */
function run(source, { env = {}, entry = ENTRY, folder = temporary(), preload = [] } = {}) {
  const file = path.join(folder, 'program.js');
  fs.writeFileSync(file, `const t = require(${JSON.stringify(entry)});\n${source}`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...preload, file], {
      env: cleanEnvironment(env),
      cwd: folder,
    });
    const out = { stdout: '', stderr: '', folder };
    child.stdout.on('data', (data) => (out.stdout += data));
    child.stderr.on('data', (data) => (out.stderr += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...out, ...withoutStart(out.stderr), code, signal });
    });
  });
}

/** Returns standard error without the lines that log a start, and those lines. */
function withoutStart(text) {
  const START = /^djp-telemetry: Telemetry is on .*\n/gm;
  return { stderr: text.replace(START, ''), started: text.match(START) || [] };
}

/** Returns the names of the spans in folder/spans.jsonl: one OTLP request as JSON per line. */
function fileSpans(folder) {
  const file = path.join(folder, 'spans.jsonl');
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const resources = lines.flatMap((line) => JSON.parse(line).resourceSpans);
  return resources.flatMap((resource) =>
    resource.scopeSpans.flatMap((scope) => scope.spans.map((span) => span.name)),
  );
}

module.exports = { ENTRY, cleanEnvironment, fileSpans, intoFile, run, temporary, withoutStart };
