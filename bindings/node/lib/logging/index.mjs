// The same module for `import`: one instance of everything, whichever way it is loaded.

import logging from './index.js';

export default logging;
export const {
  createLogger,
  getStructuredLogContext,
  traceMixin,
  winstonFormat,
  CorrelationManager,
  correlationMiddleware,
  correlationPlugin,
  generateCorrelationId,
  getCorrelationContext,
  runWithCorrelationContext,
  setCorrelationContext,
  DEFAULT_REDACTION_RULES,
  RedactionService,
  deepRedact,
  redactObject,
  redactString,
} = logging;
