/* The native part of a metric of djp_telemetry.prometheus: a bound instrument. */
#ifndef DJP_PY_INSTRUMENT_H
#define DJP_PY_INSTRUMENT_H

#include "metrics_types.h"

typedef struct djp_py_instrument {
    PyObject_HEAD
    struct djp_py_instrument *previous,
        *next; /* in the list of all instruments that may have a series */
    int is_listed;
    djp_py_state *state; /* borrowed: the type keeps the module alive */
    int kind; /* a djp_metric_type; 0: not open */
    int is_held; /* value or counts hold recordings that belong in a series */
    uint32_t generation; /* of series */
    djp_series *series; /* borrowed from sdk; NULL: recordings stay here */
    PyObject *sdk; /* owned: keeps series alive */
    djp_py_metric *core; /* owned; NULL: this instrument never has a series */
    double value; /* of a counter or gauge, sum of a histogram */
    uint64_t *counts; /* a histogram's; bound_count + 1 */
    PyObject *bounds; /* bytes of doubles */
    size_t bound_count;
    PyObject *label_names,
        *children; /* of a metric with labels: tuple, dict of tuple -> instrument */
    djp_py_label_slot *slots;
} djp_py_instrument;

/* ---- instrument_series.c ---- */
/* After telemetry started or ended. Returns the series or NULL. While telemetry is off, an
 * instrument goes on in the series that it had. */
djp_series *djp_py_instrument_bind(djp_py_instrument *instrument);
/* Puts an instrument into the list of those that may have a series, and takes it out. */
void djp_py_instrument_list(djp_py_instrument *instrument);
void djp_py_instrument_unlist(djp_py_instrument *instrument);

static inline djp_series *
djp_py_instrument_series(djp_py_instrument *instrument)
{
    return instrument->generation == instrument->state->generation
               ? instrument->series
               : djp_py_instrument_bind(instrument);
}

#endif
