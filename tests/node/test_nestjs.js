'use strict';
// NestJS on Express as documented: the middleware finds its routes, and the documented filter
// records exceptions that Nest handles.

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
require('reflect-metadata');
const { BadRequestException, Catch, Controller, Get, Module, Post } = require('@nestjs/common');
const { BaseExceptionFilter, NestFactory } = require('@nestjs/core');
const ts = require('typescript');
const { begin, request, serverSpans } = require('./http_driver.js');
const { telemetryMiddleware } = require('../../middleware/express');
const { recordRequestError } = require('../../middleware/http');

/** The documented filter, compiled as in a Nest project. */
function filterOfThePage() {
  const page = fs.readFileSync(path.resolve(__dirname, '../../docs/express.md'), 'utf8');
  const [, block] = /### NestJS\n.*?```ts\n(.*?)^```$/ms.exec(page);
  const options = {
    module: 'commonjs',
    target: 'es2022',
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
  };
  const { outputText } = ts.transpileModule(block, { compilerOptions: options });
  const modules = {
    '@nestjs/common': { Catch },
    '@nestjs/core': { BaseExceptionFilter },
    'djp-telemetry/http': { recordRequestError },
  };
  const exports = {};
  new Function('require', 'exports', outputText)((name) => modules[name], exports);
  return exports.TelemetryFilter;
}

class Orders {
  one() {
    return { ok: true };
  }

  create() {
    throw new BadRequestException('bad input');
  }

  async fails() {
    await null;
    throw new RangeError('out of orders');
  }
}

for (const [decorate, name] of [
  [Get(':id'), 'one'],
  [Post(), 'create'],
  [Get(':id/fails'), 'fails'],
]) {
  decorate(Orders.prototype, name, Object.getOwnPropertyDescriptor(Orders.prototype, name));
}
Controller('orders')(Orders);

class Application {}
Module({ controllers: [Orders] })(Application);

test(
  'templates, and the exceptions that the filter of the page tells',
  { timeout: 60000 },
  async (t) => {
    await begin();
    const TelemetryFilter = filterOfThePage();
    const app = await NestFactory.create(Application, { logger: false });
    t.after(() => app.close());
    app.use(telemetryMiddleware());
    app.useGlobalFilters(new TelemetryFilter(app.getHttpAdapter()));
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address();
    const found = [];
    for (const [where, options] of [
      ['/orders/7'],
      ['/orders', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
      ['/orders', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
      ['/orders/7/fails'],
      ['/nothing'],
    ]) {
      await request(port, where, options);
      const [span] = await serverSpans();
      const errors = span.events.map((event) => event.attributes['exception.message']);
      found.push([
        span.attributes['http.route'],
        span.attributes['http.status_code'],
        span.status,
        ...errors,
      ]);
    }
    assert.deepEqual(found, [
      ['/orders/:id', 200, 'unset'],
      ['/orders', 400, 'unset'],
      [undefined, 400, 'unset'],
      ['/orders/:id/fails', 500, 'error', 'out of orders'],
      [undefined, 404, 'unset'],
    ]);
  },
);
