'use strict';
// Outcomes of fetch: what the caller gives up is no error, a time-out or a cut connection is one.

const {
  SOON_MS,
  aborting,
  address,
  eachRecorded,
  read,
  soon,
  testOutcomes,
} = require('./outgoing_driver.js');

eachRecorded();

const cancelled = {
  'by a signal': () => read('/never', { signal: aborting() }),
  'by a signal, with a reason': () =>
    read('/never', { signal: aborting(new Error('the user left')) }),
  'by a signal, with a text': () => read('/never', { signal: aborting('gone') }),
  'by a signal, while the body comes': () =>
    read('/slow', { signal: aborting(new Error('the user left')) }),
  'by its body': async () => (await fetch(`${address()}/slow`)).body.cancel(),
  'by its body, with a text': async () => (await fetch(`${address()}/slow`)).body.cancel('enough'),
  'by its reader, with an error': async () => {
    const reader = (await fetch(`${address()}/slow`)).body.getReader();
    await reader.read();
    await reader.cancel(new TypeError('of another kind'));
  },
  'by what its body is piped through': async () => {
    const first = new TransformStream({ transform: (chunk, controller) => controller.terminate() });
    await new Response((await fetch(`${address()}/slow`)).body.pipeThrough(first)).text();
  },
};

const failed = {
  'time-out': ['TimeoutError', () => read('/never', { signal: AbortSignal.timeout(SOON_MS) })],
  'time-out of the body': [
    'TimeoutError',
    () => read('/slow', { signal: AbortSignal.timeout(SOON_MS) }),
  ],
  reset: ['UND_ERR_SOCKET', () => read('/reset')],
  'cut off': ['UND_ERR_SOCKET', () => read('/cut')],
  'the body that is sent fails': [
    'Error',
    () => {
      const body = new ReadableStream({
        start: (controller) => soon(() => controller.error(new Error('disk'))),
      });
      return read('/never', { method: 'POST', body, duplex: 'half' });
    },
  ],
};

testOutcomes(cancelled, failed);
