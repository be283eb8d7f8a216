'use strict';

// The logger: pino with the fields of every service, the ids of the current span and request, and
// redaction. A log call never throws, whatever its arguments and its destination.

const { DEFAULT_REDACTION_RULES, compileRules } = require('./rules');
const { Walker, isError } = require('./walk');
const { RateLimiter } = require('./limiter');
const { addCurrentFields } = require('./fields');
const { createPseudonyms } = require('./pseudonym');
const { currentEnvironment, currentService } = require('./current_ids');
const { logKind } = require('./keys');
const { openOutput, warnOnce } = require('./output');

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: Infinity };
const MAX_NODES = 10_000;
const MAX_DEPTH = 100;
const MAX_TEXT = 1 << 20;

const NESTING_LIMIT = 4;

// Ids have one name in all languages. A name that pino or the logger writes gets an underscore.
const WIRE_NAMES = new Map([
  ['correlationId', 'correlation_id'],
  ['requestId', 'request_id'],
  ['sessionId', 'session_id'],
  ['userId', 'user_id'],
  ...['level', 'timestamp', 'message', 'pii_redacted'].map((name) => [name, name + '_']),
]);
// pino interprets these members of bindings.
const RESERVED_BINDINGS = ['serializers', 'formatters', 'customLevels', 'hasOwnProperty'];

function loadPino() {
  try {
    return require('pino');
  } catch (error) {
    throw new Error(
      'djp-telemetry/logging needs the package pino, which could not be loaded ' +
        `(${error?.code ?? error?.message}). Install it with: npm install pino`,
      { cause: error },
    );
  }
}

const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => String(ms).padStart(3, '0') + 'Z"');
let secondNow = -1;
let secondText = '';

/** Formats pino's timestamp member. The text of a second is cached. */
function timestamp() {
  const now = Date.now();
  const current = Math.floor(now / 1000);
  if (current !== secondNow) {
    secondNow = current;
    secondText = ',"timestamp":"' + new Date(current * 1000).toISOString().slice(0, 20);
  }
  return secondText + MILLISECONDS[now - current * 1000];
}

function customRules(patterns) {
  if (!Array.isArray(patterns)) return [];
  return patterns.map((pattern, i) => ({
    name: `custom_${i + 1}`,
    pattern,
    replacement: '[REDACTED]',
  }));
}

/** State that a logger and its children share. */
class Core {
  constructor(config) {
    const pino = loadPino();
    this.pseudonym = createPseudonyms(config.hashKey);
    this.walker = new Walker({
      compiled: compileRules([...DEFAULT_REDACTION_RULES, ...customRules(config.redactPatterns)]),
      paths: config.redactPaths,
      kindOf: logKind,
      pseudonym: this.pseudonym,
      wireNames: WIRE_NAMES,
      maxNodes: MAX_NODES,
      maxDepth: MAX_DEPTH,
      maxText: MAX_TEXT,
      forJson: true,
    });
    this.output = openOutput(pino, config);
    this.root = pino(
      {
        level: 'trace',
        base: null,
        messageKey: 'message',
        errorKey: 'err',
        timestamp,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { err: (value) => value },
      },
      this.output,
    );
    this.limiter =
      config.rateLimit > 0
        ? new RateLimiter(config.rateLimit, (counts) => this.tell(counts))
        : null;
    this.teller = null;
    this.nesting = 0;
  }

  tell(counts) {
    this.teller?.warn('log lines suppressed by the rate limit', { suppressed: counts });
  }

  message(given) {
    if (typeof given === 'string') return this.walker.text(given);
    if (given === undefined) return '';
    const copied = this.walker.copy(given);
    return typeof copied === 'object' && copied !== null ? JSON.stringify(copied) : String(copied);
  }
}

function safely(attempt, otherwise) {
  try {
    return attempt();
  } catch {
    return otherwise;
  }
}

/**
 * Reads log(error) and log(object, text), as pino accepts them; error and metadata are from the
 * other arguments.
 */
function sortObjectFirst(object, second, third, error, metadata) {
  const text = typeof second === 'string' ? second : undefined;
  if (error === null && isError(object))
    return {
      text: text ?? object.message,
      error: object,
      metadata: text === undefined ? metadata : (third ?? null),
    };
  if (metadata === null || text !== undefined) return { text, error, metadata: object };
  return { text: object, error, metadata };
}

/** Sorts the arguments of a call into text, error and metadata, in any order. */
function sortArguments(message, second, third) {
  let error = null;
  let metadata = null;
  for (const given of [second, third]) {
    if (given === undefined || given === null) continue;
    if (error === null && isError(given)) error = given;
    else metadata ??= given;
  }
  if (typeof message === 'object' && message !== null)
    return sortObjectFirst(message, second, third, error, metadata);
  return { text: message, error, metadata };
}

class Logger {
  #core;
  #bound;
  #boundNames;
  #pino;
  #level;

  constructor(core, bound, level) {
    this.#core = core;
    this.#bound = bound;
    this.#boundNames = Object.keys(bound);
    this.#pino = core.root.child(bound);
    this.#level = level;
  }

  /** The lowest level that is written. */
  get level() {
    return safely(() => Object.keys(LEVELS).find((name) => LEVELS[name] === this.#level), 'info');
  }

  set level(name) {
    if (Object.hasOwn(LEVELS, name)) this.#level = LEVELS[name];
  }

  isLevelEnabled(name) {
    return Object.hasOwn(LEVELS, name) && LEVELS[name] >= this.#level && name !== 'silent';
  }

  trace(message, metadata) {
    if (this.#level <= 10) this.#log('trace', message, metadata, undefined);
  }

  debug(message, metadata) {
    if (this.#level <= 20) this.#log('debug', message, metadata, undefined);
  }

  info(message, metadata) {
    if (this.#level <= 30) this.#log('info', message, metadata, undefined);
  }

  warn(message, metadata) {
    if (this.#level <= 40) this.#log('warn', message, metadata, undefined);
  }

  error(message, errorOrMetadata, metadata) {
    if (this.#level <= 50) this.#log('error', message, errorOrMetadata, metadata);
  }

  fatal(message, errorOrMetadata, metadata) {
    if (this.#level <= 60) this.#log('fatal', message, errorOrMetadata, metadata);
  }

  /** Returns a logger that adds the given fields to every line. */
  child(bindings) {
    const added = {};
    try {
      if (bindings !== null && typeof bindings === 'object')
        this.#core.walker.copyInto(added, bindings);
      for (const name of RESERVED_BINDINGS) {
        if (!Object.hasOwn(added, name)) continue;
        added[name + '_'] = added[name];
        delete added[name];
      }
      return new Logger(this.#core, { ...this.#bound, ...added }, this.#level);
    } catch {
      return new Logger(this.#core, this.#bound, this.#level);
    }
  }

  /** Resolves when the destination has received every line; never rejects. */
  flush() {
    this.#core.limiter?.tell();
    return this.#core.output.flush();
  }

  #log(level, message, second, third) {
    const core = this.#core;
    // A getter or stream that logs during a log call would recurse forever.
    if (core.nesting >= NESTING_LIMIT) return;
    core.nesting += 1;
    try {
      if (core.limiter !== null && !core.limiter.take(level)) return;
      let text = message;
      let error = null;
      let metadata = second;
      if (
        typeof message !== 'string' ||
        third !== undefined ||
        (typeof second === 'object' && isError(second))
      ) {
        ({ text, error, metadata } = sortArguments(message, second, third));
      }
      const fields = addCurrentFields({}, core.pseudonym);
      if (metadata !== undefined && metadata !== null) core.walker.copyInto(fields, metadata);
      if (error !== null) fields.err = core.walker.copy(error);
      this.#write(level, fields, core.message(text));
    } catch {
      this.#writeBare(level, message);
    } finally {
      core.nesting -= 1;
    }
  }

  #write(level, fields, text) {
    // pino would treat an object with these three members as a request.
    if (fields.socket !== undefined && fields.method && fields.headers) delete fields.socket;
    const names = this.#boundNames;
    for (let i = 0; i < names.length; i++) {
      if (fields[names[i]] !== undefined) {
        // The field of the line wins, and no name appears twice.
        this.#core.root[level]({ ...this.#bound, ...fields }, text);
        return;
      }
    }
    this.#pino[level](fields, text);
  }

  /** Writes the line without its fields, if they could not be read. */
  #writeBare(level, message) {
    try {
      const text = typeof message === 'string' ? this.#core.walker.text(message) : '[Unreadable]';
      this.#pino[level]({ logging_error: 'metadata could not be written' }, text);
    } catch (error) {
      safely(() => this.#core.output.fail(error));
    }
  }
}

function levelOf(name) {
  if (name === undefined) return LEVELS.info;
  if (typeof name === 'string' && Object.hasOwn(LEVELS, name.toLowerCase()))
    return LEVELS[name.toLowerCase()];
  warnOnce(
    'createLogger: level must be trace, debug, info, warn, error, fatal or silent; info is used.',
    'DJP_TELEMETRY_LOG_LEVEL',
  );
  return LEVELS.info;
}

/**
 * Creates a logger that writes JSON lines. Throws only if pino is not installed.
 * @param {import('./index').LoggerConfig} [config]
 */
function createLogger(config) {
  const given = config !== null && typeof config === 'object' ? config : {};
  const core = new Core(given);
  const bound = {
    service: String(given.service ?? currentService() ?? 'unknown'),
    environment: String(
      given.environment ?? (process.env.NODE_ENV || currentEnvironment() || 'unknown'),
    ),
    pii_redacted: true,
  };
  const logger = new Logger(core, bound, levelOf(given.level));
  core.teller = logger;
  return logger;
}

module.exports = { createLogger };
