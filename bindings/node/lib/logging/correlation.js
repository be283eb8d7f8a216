'use strict';

// The correlation context of a request: ids that follow it through asynchronous calls and appear in
// its log lines. An id from a header is untrusted: it goes into logs and a response header only if
// it is short and plain.

const { AsyncLocalStorage } = require('node:async_hooks');
const { randomUUID } = require('node:crypto');
const { redactString } = require('./redaction');

const HEADER = 'x-correlation-id';
const FALLBACK_HEADER = 'x-request-id';
const ACCEPTED_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const FIELDS = ['correlationId', 'requestId', 'sessionId', 'userId'];
const FIELD_LIMIT = 256;

const storage = new AsyncLocalStorage();

/** Returns a new id: a random UUID. */
function generateCorrelationId() {
  return randomUUID();
}

/**
 * Returns the text of a context field, or undefined. Removes control characters, which must not get
 * into a line or header.
 */
function fieldText(value) {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, FIELD_LIMIT).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '');
}

/** Copies the known fields of `given` into `target`; skips unreadable ones. */
function takeFields(target, given) {
  for (const name of FIELDS) {
    try {
      const text = fieldText(given?.[name]);
      if (text !== undefined) target[name] = text;
    } catch {
      // A getter that throws loses only its field.
    }
  }
  return target;
}

function newContext(given) {
  const context = takeFields({ correlationId: '' }, given);
  if (context.correlationId === '') context.correlationId = generateCorrelationId();
  return context;
}

/** Returns the store itself, for the logger. Read-only. */
function currentContext() {
  return storage.getStore();
}

/** Returns a copy of the current context; undefined outside of a run. */
function getCorrelationContext() {
  const context = storage.getStore();
  return context === undefined ? undefined : { ...context };
}

/** Adds fields to the current context. Does nothing outside of a run. */
function setCorrelationContext(context) {
  const current = storage.getStore();
  if (current !== undefined) takeFields(current, context);
}

/** Calls fn in a new context; returns its result and throws its error. */
function runWithCorrelationContext(context, fn) {
  return storage.run(newContext(context), fn);
}

/** Returns the header text if it is a valid id, or undefined. */
function acceptedId(value) {
  if (typeof value !== 'string') return undefined;
  if (UUID.test(value)) return value;
  return ACCEPTED_ID.test(value) && redactString(value) === value ? value : undefined;
}

function contextOfHeaders(headers) {
  let given;
  let requestId;
  try {
    requestId = acceptedId(headers[FALLBACK_HEADER]);
    // An invalid header gives a new id: the other header may belong to another hop.
    given = headers[HEADER] === undefined ? requestId : acceptedId(headers[HEADER]);
  } catch {
    given = undefined;
  }
  const context = { correlationId: given === undefined ? generateCorrelationId() : given };
  if (requestId !== undefined) context.requestId = requestId;
  return context;
}

/** Middleware for Express 4 and 5: a context per request, with its id in the response header. */
function correlationMiddleware() {
  return function correlation(req, res, next) {
    const context = contextOfHeaders(req.headers);
    try {
      if (!res.headersSent) res.setHeader(HEADER, context.correlationId);
    } catch {
      // A response that rejects the header is still served.
    }
    storage.run(context, next);
  };
}

/**
 * Fastify plugin with the same behavior. The rest of the request runs in the callback of the hook,
 * so it has the context. The handler enters it again, because a hook or parser in between may
 * continue from an event of the connection, which has no context.
 */
function correlationPlugin(fastify, options, done) {
  const contexts = new WeakMap();
  fastify.addHook('onRequest', (request, reply, next) => {
    const context = contextOfHeaders(request.headers);
    contexts.set(request, context);
    reply.header(HEADER, context.correlationId);
    storage.run(context, next);
  });
  fastify.addHook('preValidation', (request, reply, next) => {
    const context = contexts.get(request);
    if (context === undefined || storage.getStore() === context) next();
    else storage.run(context, next);
  });
  done();
}
// Without this mark the hooks apply to the routes of the plugin only, and it has none.
correlationPlugin[Symbol.for('skip-override')] = true;
correlationPlugin[Symbol.for('fastify.display-name')] = 'djp-telemetry-correlation';

/** (name, value) or (context). */
function set(contextOrName, value) {
  setCorrelationContext(
    typeof contextOrName === 'string' ? { [contextOrName]: value } : contextOrName,
  );
}

/** run(fn), run(id, fn) or run(context, fn). */
function run(context, fn) {
  if (typeof context === 'function' && fn === undefined)
    return runWithCorrelationContext(undefined, context);
  return runWithCorrelationContext(
    typeof context === 'string' ? { correlationId: context } : context,
    fn,
  );
}

function getCorrelationId() {
  return storage.getStore()?.correlationId;
}

const OPERATIONS = {
  generateId: generateCorrelationId,
  getContext: getCorrelationContext,
  getCorrelationId,
  run,
  set,
  setContext: setCorrelationContext,
  middleware: correlationMiddleware,
};

/**
 * The same operations as methods of the class and of its instances. All share the context that
 * loggers read.
 */
class CorrelationManager {}
for (const [name, operation] of Object.entries(OPERATIONS)) {
  const property = { value: operation, writable: true, configurable: true };
  Object.defineProperty(CorrelationManager, name, property);
  Object.defineProperty(CorrelationManager.prototype, name, property);
}

module.exports = require('../one.js')('correlation', {
  CorrelationManager,
  correlationMiddleware,
  correlationPlugin,
  currentContext,
  generateCorrelationId,
  getCorrelationContext,
  runWithCorrelationContext,
  setCorrelationContext,
});
