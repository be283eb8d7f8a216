// The CommonJS module for `import`: both are one instance.

import next from './index.js';

export default next;
export const { register, onRequestError } = next;
