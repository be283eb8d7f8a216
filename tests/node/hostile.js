'use strict';
// Objects that throw when they are read.

const hostile = {
  get a() {
    throw new Error('no');
  },
  b: 1,
};
const proxy = new Proxy(
  {},
  {
    get() {
      throw new Error('no');
    },
    ownKeys() {
      throw new Error('no');
    },
  },
);
const revoked = Proxy.revocable({}, {});
revoked.revoke();

module.exports = { hostile, proxy, revoked };
