'use strict';
// Next's edge runtime cannot load native code: the same hooks, which do nothing there.

module.exports = { register: async () => undefined, onRequestError: () => undefined };
