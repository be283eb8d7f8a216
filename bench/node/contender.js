'use strict';
// One measurement in a separate process: `node contender.js NAME` prints one line of JSON. run.js
// calls it for all sides in turn. If the package is not built, it prints that instead of a number.

const CONTENDERS = {};
for (const file of ['./spans', './metrics', './requests', './memory', './whole']) {
  Object.assign(CONTENDERS, require(file).contenders);
}

async function main() {
  const contender = CONTENDERS[process.argv[2]];
  if (!contender)
    throw new Error(`no contender ${process.argv[2]}: ${Object.keys(CONTENDERS).join(' ')}`);
  let result;
  try {
    result = await contender();
  } catch (error) {
    if (!error.notThere) throw error;
    result = { missing: error.message };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 100).unref();
});
