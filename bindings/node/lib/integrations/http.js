'use strict';
// Client spans and headers for the modules http and https.

const diagnostics = require('diagnostics_channel');
const { errorMonitor } = require('events');
const { syncBuiltinESMExports } = require('module');
const { isTimeout } = require('../exception.js');
const { isOfAgent } = require('../other_agents.js');
const { begin, contextOf, originOf, quiet } = require('../outgoing_call.js');
const { injectFrom } = require('../propagate.js');

const HTTP_CREATED = 'http.client.request.created';

function originOfRequest(request) {
  const host = request.getHeader('host') || request.host;
  return originOf(`${request.protocol || 'http:'}//${host}`);
}

function setHeader(request, name, value) {
  if (!request.hasHeader(name)) request.setHeader(name, value);
}

/** Watches a new request. Adds no listener for errors: one would make them handled. */
function prepare(request, options) {
  if (request.headersSent || request.hasHeader('traceparent')) return;
  const origin = originOfRequest(request);
  if (origin === '' || !options.allows(origin)) return;
  const method = String(request.method);
  const path = String(request.path);
  if (isOfAgent(method, path, (name) => request.getHeader(name))) return;
  const call = begin(options, method, origin, path);
  injectFrom(request, contextOf(call), setHeader);
  if (call !== null) follow(request, call);
}

/**
 * Ends the call with its request. The error of a request that its caller destroyed looks like a
 * broken connection, so destroy() is watched.
 */
function follow(request, call) {
  let late = false;
  let called = false; // the caller called destroy()
  let given = false; // with an error
  const { destroy } = request;
  request.destroy = function destroyed(error) {
    if (!request.destroyed) {
      called = true;
      given = !late && (error === undefined || error === null);
    }
    return destroy.call(this, error);
  };
  request.once('timeout', () => {
    late = true;
  });
  request.once(errorMonitor, (error) => {
    if (!given) call.fail(late && !isTimeout(error) ? timeoutOf(error) : error);
  });
  request.once('close', () => {
    const { res } = request;
    if (res) {
      call.respond(res.statusCode, res.httpVersion);
      if (!res.complete && res.errored) {
        if (called && late) call.fail(timeoutOf(res.errored));
        else if (!called && wasCut(request.socket)) call.fail(res.errored);
      }
    }
    call.end();
  });
}

/** Whether the caller ended the request because of a timeout. */
function timeoutOf(error) {
  return Object.assign(new Error('The request timed out', { cause: error }), {
    name: 'TimeoutError',
  });
}

/** Whether the server, and not the caller, cut the response off. */
function wasCut(socket) {
  return !socket || socket.readableEnded || Boolean(socket.errored);
}

/** Replaces a function of a module until the returned function is called. */
function replace(module, name, make) {
  const original = module[name];
  const state = { active: true };
  const wrapped = make(original, state);
  module[name] = wrapped;
  return () => {
    state.active = false; // another library may have wrapped this function
    if (module[name] === wrapped) module[name] = original;
  };
}

function wrapRequest(options) {
  return (original, state) =>
    function request(...args) {
      const made = Reflect.apply(original, this, args);
      if (state.active) {
        try {
          prepare(made, options);
        } catch {
          // The request is sent without trace context.
        }
      }
      return made;
    };
}

/** get() ends the request at once, so headers must be set before. */
function wrapGet(module) {
  return (original, state) =>
    function get(...args) {
      if (!state.active) return Reflect.apply(original, this, args);
      const made = Reflect.apply(module.request, this, args);
      made.end();
      return made;
    };
}

function publishesCreation() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 2) || (major === 22 && minor >= 12);
}

/** Watches or wraps the modules; returns functions that undo it. */
function instrument(options) {
  if (publishesCreation()) {
    const listener = quiet(({ request }) => prepare(request, options));
    diagnostics.subscribe(HTTP_CREATED, listener);
    return [() => diagnostics.unsubscribe(HTTP_CREATED, listener)];
  }
  const undo = [];
  for (const module of [require('http'), require('https')]) {
    undo.push(
      replace(module, 'request', wrapRequest(options)),
      replace(module, 'get', wrapGet(module)),
    );
  }
  syncBuiltinESMExports();
  undo.push(syncBuiltinESMExports);
  return undo;
}

module.exports = { instrument };
