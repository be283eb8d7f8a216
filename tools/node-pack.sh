#!/usr/bin/env bash
# node-pack.sh FOLDER: packs the package, installs the archive in an empty project below FOLDER as a
# user would, and uses it there.
set -euo pipefail
out=$1
rm -rf "$out" && mkdir -p "$out/project"
npm pack --silent --pack-destination "$out" >/dev/null
cd "$out/project"
echo '{"private":true}' > package.json
DJP_TELEMETRY_NATIVE=require npm install --silent --no-audit --no-fund --no-package-lock \
  --omit=peer --foreground-scripts ../djp-telemetry-*.tgz
cat > use.js <<'JS'
const assert = require('node:assert');
const t = require('djp-telemetry');
t.init({ enabled: true, backend: 'hybrid', exporter: 'memory' });
assert.equal(t.telemetryStatus().impl, 'native');
t.shutdown(1000).then((sent) => assert.equal(sent, true));
for (const name of ['express', 'http', 'next']) require(`djp-telemetry/${name}`);
JS
node use.js
echo "import { init } from 'djp-telemetry'; init();" > use.mjs
node use.mjs
