import sampling from './sampling.js';

export default sampling;
export const {
  Predicate,
  Sampler,
  alwaysOff,
  alwaysOn,
  annotating,
  anything,
  atLeast,
  attribute,
  drop,
  hasRemoteParent,
  isRoot,
  kind,
  name,
  parentSampled,
  parentThreshold,
  probability,
  rateLimited,
  ruleBased,
} = sampling;
