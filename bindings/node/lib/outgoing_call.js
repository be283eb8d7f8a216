'use strict';
// One outgoing request of any library: its origin, its record, and the context that it carries.

const { startClient } = require('./client_span.js');
const { current } = require('./context.js');

function originOf(text) {
  try {
    return new URL(text).origin;
  } catch {
    return '';
  }
}

/** Returns the record of a request if requests are recorded; else null. */
function begin(options, method, origin, path) {
  return options.spans ? startClient(method, origin, path) : null;
}

/** Returns the context for the headers of a request. */
function contextOf(call) {
  const span = call === null ? null : call.span;
  return span === null ? current() : span;
}

/** Returns a handler without errors: the publisher of a channel must not see them. */
function quiet(handler) {
  return (message) => {
    try {
      handler(message);
    } catch {
      // The request goes on without trace context.
    }
  };
}

module.exports = { begin, contextOf, originOf, quiet };
