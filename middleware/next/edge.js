'use strict';
// Next's edge runtime cannot load native code: the same hook, which does nothing there.

module.exports = { register: async () => undefined };
