/* The series of the instruments: each is bound when telemetry starts, and what it held until
 * then moves. */
#include "instrument.h"

#include <string.h>

/* Adds what the instrument holds to its series. */
static void
instrument_series_move(djp_py_instrument *self)
{
    self->is_held = 0;
    if (self->kind == DJP_COUNTER) {
        djp_counter_add(self->series, self->value);
    } else if (self->kind == DJP_GAUGE) {
        djp_gauge_set(self->series, self->value);
    } else if (self->counts != NULL) {
        djp_histogram_add(self->series, self->counts, self->bound_count + 1, self->value);
        memset(self->counts, 0, (self->bound_count + 1) * sizeof *self->counts);
    }
    self->value = 0;
}

djp_series *
djp_py_instrument_bind(djp_py_instrument *self)
{
    self->generation = self->state->generation;
    if (self->core == NULL) {
        return self->series;
    }
    djp_series *series = djp_py_metric_series(self->core);
    PyObject *sdk = (PyObject *)self->core->definition->sdk, *old = self->sdk;
    if (series == NULL || sdk == NULL) {
        return self->series;
    }
    self->sdk = Py_NewRef(sdk);
    self->series = series;
    if (self->is_held) {
        instrument_series_move(self);
    }
    Py_XDECREF(old); /* last: this may let other threads run */
    return self->series;
}

void
djp_py_metrics_bind_instruments(djp_py_state *state)
{
    /* Binding may run other code, which may drop instruments: this one and the next one are held.
     */
    djp_py_instrument *item = state->metrics->instruments, *next;
    Py_XINCREF(item);
    for (; item != NULL; item = next) {
        (void)djp_py_instrument_series(item);
        next = item->next;
        Py_XINCREF(next);
        Py_DECREF(item);
    }
}

void
djp_py_metrics_discard_instruments(djp_py_metrics_state *metrics)
{
    for (djp_py_instrument *item = metrics->instruments, *next; item != NULL; item = next) {
        next = item->next;
        item->previous = item->next = NULL;
        item->is_listed = 0;
    }
    metrics->instruments = NULL;
}

void
djp_py_instrument_list(djp_py_instrument *self)
{
    djp_py_metrics_state *metrics = self->state->metrics;
    if (self->is_listed) {
        return;
    }
    self->is_listed = 1;
    self->next = metrics->instruments;
    if (self->next != NULL) {
        self->next->previous = self;
    }
    metrics->instruments = self;
}

void
djp_py_instrument_unlist(djp_py_instrument *self)
{
    if (!self->is_listed) {
        return;
    }
    if (self->previous != NULL) {
        self->previous->next = self->next;
    } else if (self->state->metrics != NULL) {
        self->state->metrics->instruments = self->next;
    }
    if (self->next != NULL) {
        self->next->previous = self->previous;
    }
    self->previous = self->next = NULL;
    self->is_listed = 0;
}
