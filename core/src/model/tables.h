/* The one lock of the trace layer's process-wide tables (keys, scopes, recorders). It is held over
 * fork(2), so that a child finds the tables whole and the lock free. Never taken on a hot path. */
#ifndef DJP_MODEL_TABLES_H
#define DJP_MODEL_TABLES_H

void djp__tables_lock(void);
void djp__tables_unlock(void);

#endif
