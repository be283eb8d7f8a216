'use strict';
// Outcomes of http.request: what the caller gives up is no error, a time-out or a cut connection is
// one.

const {
  SOON_MS,
  aborting,
  eachRecorded,
  get,
  soon,
  testOutcomes,
} = require('./outgoing_driver.js');

eachRecorded();

const cancelled = {
  'by a signal': () => get('/never', { signal: aborting() }),
  'by a signal, while the body comes': () => get('/slow', { signal: aborting() }),
  'by destroy': () => get('/never', {}, (request) => soon(() => request.destroy())),
  'by abort': () => get('/never', {}, (request) => soon(() => request.abort())),
  'by destroy, while the body comes': () => get('/slow', {}, (request) => request.destroy()),
  'by destroy of the answer': () => get('/slow', {}, (request, response) => response.destroy()),
  'by an error that says so': () =>
    get('/never', {}, (request) =>
      soon(() => request.destroy(Object.assign(new Error('x'), { code: 'ERR_CANCELED' }))),
    ),
};

const failed = {
  'time-out by a signal': [
    'TimeoutError',
    () => get('/never', { signal: AbortSignal.timeout(SOON_MS) }),
  ],
  'time-out by an event': [
    'TimeoutError',
    () =>
      get('/never', { timeout: SOON_MS }, (request) =>
        request.on('timeout', () => request.destroy()),
      ),
  ],
  'time-out of the body': [
    'TimeoutError',
    () =>
      get('/slow', { timeout: SOON_MS }, (request) =>
        request.on('timeout', () => request.destroy()),
      ),
  ],
  'the caller names an error': [
    'Error',
    () => get('/never', {}, (request) => soon(() => request.destroy(new Error('mine')))),
  ],
  reset: ['ECONNRESET', () => get('/reset')],
  'cut off': ['ECONNRESET', () => get('/cut')],
  'shorter than said': ['ECONNRESET', () => get('/short')],
};

testOutcomes(cancelled, failed);
