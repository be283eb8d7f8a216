'use strict';
// One outgoing request, whichever library makes it: where it goes, and its client span.

const { startClient } = require('./client_span.js');

function originOf(text) {
  try {
    return new URL(text).origin;
  } catch {
    return '';
  }
}

/** The span of a request, when spans are asked for; else null. */
function spanFor(options, method, origin, path) {
  return options.spans ? startClient(method, origin, path) : null;
}

/** Whoever publishes on a channel must not see our errors. */
function quiet(handler) {
  return (message) => {
    try {
      handler(message);
    } catch {
      // The request goes on without trace context.
    }
  };
}

module.exports = { originOf, spanFor, quiet };
