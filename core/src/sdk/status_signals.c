/* The status of each signal in one form: its books, losses, queue and exports. The rows of the
 * signals name them; this file knows no signal but the one that is listed even while it is off. */
#include <stdio.h>

#include "sdk/sdk.h"
#include "sdk/status.h"

void
djp__status_books(djp__buf *out, const djp__signal *signal, const void *source,
                  const djp__export_stats *stats)
{
    djp__books books;
    djp__books_read(&books, signal, source, stats);
    djp__buf_char(out, '{');
    djp__status_number(out, "started", books.started);
    djp__status_number(out, "live", books.live);
    djp__status_number(out, "not_sampled", books.not_sampled);
    djp__status_number(out, "exported", books.exported);
    djp__status_number(out, "dropped", books.dropped);
    djp__status_number(out, "waiting", books.waiting);
    djp__buf_char(out, '}');
}

static void
status_signals_loss(void *user, const char *reason, uint64_t items)
{
    djp__status_number(user, reason, items);
}

void
djp__status_losses(djp__buf *out, const djp__signal *signal, const void *source,
                   const djp__export_stats *stats)
{
    djp__buf_char(out, '{');
    djp__books_losses(signal, source, stats, status_signals_loss, out);
    djp__buf_char(out, '}');
}

/* The pipeline is zeros while the signal is not exported. Of several destinations of a signal, the
 * first has its name, and the others also their transport's. */
static void
status_signals_write(djp__buf *out, const djp__signal *signal, const void *source,
                     djp__pipeline *pipeline)
{
    const djp__export_stats *stats = &pipeline->stats;
    const djp__queue *queue = &pipeline->queue;
    int is_exported = pipeline->signal != NULL;
    char error[sizeof pipeline->delivery.error];
    uint64_t error_time;
    djp__sender_error(pipeline, error, &error_time);
    char name[64];
    int is_further = is_exported && pipeline->first != pipeline;
    snprintf(name, sizeof name, "%.40s%s%.20s", signal->name, is_further ? "." : "",
             is_further ? pipeline->transport->ops->name : "");
    djp__status_open(out, name);
    djp__status_text(out, "item_name", signal->item_name);
    djp__status_text(out, "transport", is_exported ? pipeline->transport->ops->name : "none");
    djp__status_text(out, "receiver", is_exported ? pipeline->options.target : "");
    djp__status_key(out, "books");
    djp__status_books(out, signal, source, stats);
    djp__status_key(out, "dropped");
    djp__status_losses(out, signal, source, stats);
    djp__status_number(out, "ring_bytes", djp__books_source_bytes(pipeline));
    djp__status_number(out, "batch_items", djp__load_relaxed(&stats->in_encoder));
    djp__status_number(out, "queue_requests", djp__load_relaxed(&queue->count));
    djp__status_number(out, "queue_items", djp__load_relaxed(&queue->items));
    djp__status_number(out, "queue_bytes", djp__load_relaxed(&queue->bytes));
    djp__status_number(out, "attempts", djp__load_relaxed(&stats->attempts));
    djp__status_number(out, "retries", djp__load_relaxed(&stats->retries));
    djp__status_number(out, "requests_ok", djp__load_relaxed(&stats->requests_ok));
    djp__status_number(out, "requests_failed", djp__load_relaxed(&stats->requests_failed));
    djp__status_number(out, "consecutive_failures",
                       djp__load_relaxed(&stats->consecutive_failures));
    djp__status_number(out, "wire_bytes", djp__load_relaxed(&stats->wire_bytes));
    djp__status_time(out, "last_success", djp__load_relaxed(&stats->last_success_unix_ns));
    djp__status_text(out, "last_error", error);
    djp__status_time(out, "last_error_time", error[0] != '\0' ? error_time : 0);
    djp__buf_char(out, '}');
}

void
djp__status_signals(djp__buf *out, djp_sdk *sdk)
{
    djp__status_open(out, "signals");
    status_signals_write(out, &djp__signal_traces, sdk, &sdk->traces);
    for (djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
        if (pipeline != &sdk->traces) {
            status_signals_write(out, pipeline->signal, pipeline->source, pipeline);
        }
    }
    djp__buf_char(out, '}');
}
