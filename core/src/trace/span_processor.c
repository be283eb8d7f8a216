/* Registers and calls span processors. Nothing here runs for a recorder without one. */
#include "trace/span_processor.h"

#include "base/fork.h"
#include "djp/error.h"
#include "model/tables.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

int
djp__recorder_add_processor(djp_recorder *recorder, const djp__span_processor *processor)
{
    uint32_t count = recorder->processor_count;
    if (count == DJP__SPAN_PROCESSORS_MAX) {
        return DJP_EFULL;
    }
    recorder->processors[count] = *processor;
    recorder->processor_count = count + 1;
    recorder->begins |= DJP__BEGINS_PROCESSED;
    djp__tables_lock();
    djp__store_relaxed(&recorder->needs, djp__load_relaxed(&recorder->needs) | processor->needs);
    djp__tables_unlock();
    return 0;
}

unsigned
djp__span_processors_need(const djp_recorder *recorder)
{
    unsigned needs = 0;
    for (uint32_t i = 0; i < recorder->processor_count; i++) {
        needs |= recorder->processors[i].needs;
    }
    return needs;
}

void
djp__span_processors_free(djp_recorder *recorder)
{
    for (uint32_t i = 0; i < recorder->processor_count; i++) {
        if (recorder->processors[i].free != NULL) {
            recorder->processors[i].free(recorder->processors[i].user);
        }
    }
}

/* 0: a processor of this thread has caused the call; without the check it could call itself
 * without end. */
static int
span_processor_enter(void)
{
    int is_first = !djp__thread.is_processing;
    djp__thread.is_processing = 1;
    return is_first;
}

void
djp__span_processors_start(djp_span *span, const djp_span_options *options)
{
    static const djp_span_options none;
    djp_recorder *recorder = span->recorder;
    if (!span_processor_enter()) {
        return;
    }
    span->lost |= DJP__SPAN_PROCESSED;
    for (uint32_t i = 0; i < recorder->processor_count; i++) {
        const djp__span_processor *processor = &recorder->processors[i];
        if (processor->on_start != NULL) {
            processor->on_start(processor->user, span, options != NULL ? options : &none);
        }
    }
    djp__thread.is_processing = 0;
}

void
djp__span_processors_end(djp_span *span)
{
    djp_recorder *recorder = span->recorder;
    span->lost &= ~DJP__SPAN_PROCESSED;
    if (span->local->generation != djp__fork_generation() || !span_processor_enter()) {
        return;
    }
    span->recording = 1;
    for (uint32_t i = 0; i < recorder->processor_count; i++) {
        const djp__span_processor *processor = &recorder->processors[i];
        if (processor->on_end != NULL) {
            processor->on_end(processor->user, span);
        }
    }
    /* A processor may have set it. */
    if (span->record->status == DJP_STATUS_ERROR && recorder->options.tell_errors) {
        djp__span_tell_error(span);
    }
    span->recording = 0;
    djp__thread.is_processing = 0;
}
