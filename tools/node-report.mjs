// A reporter for `node --test`: prints each test that fails with its error, then the slowest ten
// and a count. For each file with a failure it writes one into the folder DJP_NODE_FAILURES: a line
// with the path, what the file printed, and the errors.
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const LINES = 200; // of what a file printed
const folder = process.env.DJP_NODE_FAILURES;
const files = new Map();

function fileOf(data) {
  const name = path.relative(process.cwd(), data.file ?? 'unknown file');
  if (!files.has(name)) files.set(name, { name, number: files.size, printed: [], errors: [] });
  return files.get(name);
}

/** The error of a test, without the frames of the test runner. */
function explain(error) {
  if (error.exitCode > 0) return `exit code ${error.exitCode}`;
  if (error.signal) return `ended by ${error.signal}`;
  const cause = error.cause ?? error;
  const text = String(cause?.stack ?? cause?.message ?? cause);
  return text
    .split('\n')
    .filter((line) => !/^ +at .*node:internal|^ +at .*node:async_hooks/.test(line))
    .join('\n');
}

function fail(data) {
  const file = fileOf(data);
  const { error } = data.details;
  // The test around one that failed, and the file around its tests, have nothing to add.
  if (error.failureType === 'subtestsFailed' && file.errors.length > 0) return '';
  const whole = path.resolve(data.name) === data.file;
  const text = `FAIL ${file.name}${whole ? '' : `: ${data.name}`}\n${explain(error)}`;
  file.errors.push(text);
  if (folder) {
    const content = [file.name, ...file.printed.slice(-LINES), ...file.errors].join('\n');
    writeFileSync(path.join(folder, String(file.number)), `${content}\n`);
  }
  return `${text.replaceAll('\n', '\n    ')}\n`;
}

export default async function* report(source) {
  const times = [];
  const count = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') {
      fileOf(data).printed.push(...data.message.trimEnd().split('\n'));
    } else if (type === 'test:pass' || type === 'test:fail') {
      const skipped = data.skip !== undefined || data.todo !== undefined;
      count[skipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed'] += 1;
      if (data.nesting === 0) times.push([data.details.duration_ms, data.name]);
      if (type === 'test:fail' && !skipped) yield fail(data);
    }
  }
  yield 'slowest tests:\n';
  for (const [ms, name] of times.sort((a, b) => b[0] - a[0]).slice(0, 10)) {
    yield `${(ms / 1000).toFixed(1).padStart(7)} s  ${name}\n`;
  }
  const { passed, failed, skipped } = count;
  yield `${process.version}: passed ${passed} failed ${failed} skipped ${skipped}\n`;
}
