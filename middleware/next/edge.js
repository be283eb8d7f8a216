'use strict';
// The hooks for the edge runtime of Next, which cannot load native code: they do nothing.

module.exports = { register: async () => undefined, onRequestError: () => undefined };
