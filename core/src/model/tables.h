/* The lock of the trace layer's process-wide tables (keys, scopes, recorders). Held over fork(2),
 * so that a child finds the tables consistent and the lock free. Not taken on hot paths. */
#ifndef DJP_MODEL_TABLES_H
#define DJP_MODEL_TABLES_H

void djp__tables_lock(void);
void djp__tables_unlock(void);

#endif
