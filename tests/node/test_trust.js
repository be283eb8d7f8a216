'use strict';
// Certificate authorities, as the operator of a Node program configures them in the usual ways.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { run, temporary } = require('./programs.js');

const skip = spawnSync('openssl', ['version']).status !== 0 && 'openssl is not installed';

describe('authorities', { skip, timeout: 180000 }, () => {
  const folder = temporary();
  const at = (name) => path.join(folder, name);
  let server;
  let requests = 0;
  const openssl = (...given) => execFileSync('openssl', given, { cwd: folder, stdio: 'ignore' });
  before(async () => {
    for (const name of ['ca', 'other'])
      openssl(
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.pem`,
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
      );
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      's.key',
      '-out',
      's.csr',
      '-subj',
      '/CN=localhost',
    );
    fs.writeFileSync(at('ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    openssl(
      'x509',
      '-req',
      '-in',
      's.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      's.pem',
      '-days',
      '2',
      '-extfile',
      'ext',
    );
    execFileSync('mkfifo', [at('fifo')]);
    server = https.createServer(
      { key: fs.readFileSync(at('s.key')), cert: fs.readFileSync(at('s.pem')) },
      (req, res) => {
        requests++;
        req.resume().on('end', () => res.end());
      },
    );
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => server.close());

  /** Whether a span arrives with these variables. */
  async function arrives(env) {
    const had = requests;
    const done = await run(
      `t.init({ enabled: true, backend: 'otel', exporter: 'otlp', sampleRatio: 1,
        protocol: 'http/protobuf',
        endpoint: 'https://localhost:${server.address().port}' });
      t.startSpan('x').end();
      t.flush(8000).then((sent) => {
        console.log(sent, t.telemetryStatus().export.last_error); process.exit(); });`,
      { env },
    );
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stdout.startsWith('true'), requests > had, done.stdout);
    if (requests === had) assert.match(done.stdout, /certificate/);
    return requests > had;
  }

  test('NODE_EXTRA_CA_CERTS adds, SSL_CERT_FILE replaces, a setting of our own wins', async () => {
    assert.equal(await arrives({}), false);
    assert.equal(await arrives({ NODE_EXTRA_CA_CERTS: at('ca.pem') }), true);
    assert.equal(await arrives({ SSL_CERT_FILE: at('ca.pem') }), true);
    assert.equal(await arrives({ SSL_CERT_FILE: at('other.pem') }), false);
    assert.equal(
      await arrives({ SSL_CERT_FILE: at('other.pem'), NODE_EXTRA_CA_CERTS: at('ca.pem') }),
      true,
    );
    assert.equal(
      await arrives({
        OTEL_EXPORTER_OTLP_CERTIFICATE: at('other.pem'),
        SSL_CERT_FILE: at('ca.pem'),
      }),
      false,
    );
  });

  test('a file of more authorities that is none, or hangs, leaves the others alone', async () => {
    for (const name of ['missing.pem', 'fifo', '']) {
      const env = {
        DJP_TELEMETRY_EXTRA_CERTIFICATE: name === '' ? '' : at(name),
        OTEL_EXPORTER_OTLP_CERTIFICATE: at('ca.pem'),
      };
      assert.equal(await arrives(env), true, name);
    }
  });
});
