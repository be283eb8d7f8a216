'use strict';
// The load of the loopback rows: 16 keep-alive connections that send the next request after each
// response. Runs in a separate process and parses as little as possible: every response has a
// Content-Length and fits into one read.

const net = require('node:net');

const [port, seconds, traceparent] = [
  Number(process.argv[2]),
  Number(process.argv[3]),
  process.argv[4],
];
const REQUEST =
  'GET /orders/7 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: bench\r\nAccept: */*\r\n' +
  `${traceparent ? `traceparent: ${traceparent}\r\n` : ''}\r\n`;

let requests = 0;
let stopped = false;

function connection() {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(REQUEST));
  socket.setNoDelay(true);
  let text = '';
  socket.on('data', (part) => {
    text += part.toString('latin1');
    const head = text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(text)[1]);
    if (text.length < head + 4 + length) return;
    if (!text.startsWith('HTTP/1.1 200')) throw new Error(text);
    text = '';
    requests++;
    if (!stopped) socket.write(REQUEST);
  });
  return socket;
}

const sockets = Array.from({ length: 16 }, connection);
setTimeout(() => {
  const warm = requests;
  const begin = performance.now();
  setTimeout(() => {
    const rate = ((requests - warm) * 1000) / (performance.now() - begin);
    stopped = true;
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
      process.send({ rate, requests });
    }, 100);
  }, seconds * 1000);
}, 1000);
