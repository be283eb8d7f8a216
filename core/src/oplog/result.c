/* Spans and results of instruments: the facts of a writer become calls of the instrumentation. The
 * input comes from another language's code: invalid bytes can at worst yield a wrong record. */
#include <string.h>

#include "instrument/http_client.h"
#include "instrument/operation.h"
#include "oplog/oplog.h"

enum { RESULT__HEAD = 32, RESULT__STATUS_MAX = 999 };

/* The payload of a RESULT. Its texts borrow from the payload. */
typedef struct result_facts {
    uint64_t start_ns, end_ns;
    double seconds;
    uint32_t status, resends, flags;
    djp_text texts[DJP_OPLOG_TEXTS];
} result_facts;

static uint32_t
result_word(const unsigned char *data)
{
    uint32_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

static int
result_read_texts(result_facts *out, const unsigned char *at, const unsigned char *end)
{
    for (size_t i = 0; i < DJP_OPLOG_TEXTS && end - at >= 8; i++) {
        size_t bytes = result_word(at);
        at += 8;
        if ((size_t)(end - at) < bytes) {
            return 0;
        }
        out->texts[i] = (djp_text){(const char *)at, bytes};
        size_t padded = (bytes + 7) & ~(size_t)7;
        at += padded < (size_t)(end - at) ? padded : (size_t)(end - at);
    }
    return 1;
}

/* 0: invalid payload. */
static int
result_read(result_facts *out, const unsigned char *data, size_t size)
{
    memset(out, 0, sizeof *out);
    if (size < RESULT__HEAD) {
        return 0;
    }
    memcpy(&out->start_ns, data, 8);
    memcpy(&out->end_ns, data + 8, 8);
    memcpy(&out->seconds, data + 16, 8);
    out->status = result_word(data + 24) & 0xffffu;
    out->status = out->status <= RESULT__STATUS_MAX ? out->status : 0;
    out->resends = result_word(data + 24) >> 16;
    out->flags = result_word(data + 28);
    return result_read_texts(out, data + RESULT__HEAD, data + size);
}

/* 1: an operation that has ended; 0: a request of a client, or no instrument. */
static int
result_is_operation(djp__operation_type *out, unsigned instrument)
{
    static const djp__operation_type types[] = {[DJP_INSTRUMENT_JOB] = DJP__OPERATION_JOB,
                                                [DJP_INSTRUMENT_EXTERNAL] = DJP__OPERATION_EXTERNAL,
                                                [DJP_INSTRUMENT_REQUEST] = DJP__OPERATION_REQUEST};
    int found = instrument >= DJP_INSTRUMENT_JOB && instrument <= DJP_INSTRUMENT_REQUEST;
    *out = types[found ? instrument : DJP_INSTRUMENT_JOB];
    return found;
}

static djp__operation_facts
result_operation(const result_facts *facts)
{
    return (djp__operation_facts){.first = facts->texts[0],
                                  .second = facts->texts[1],
                                  .seconds = facts->seconds,
                                  .failed = (facts->flags & DJP_OP_RESULT_FAILED) != 0,
                                  .error_type = facts->texts[2],
                                  .status = (int)facts->status};
}

static djp_http_call
result_call(const result_facts *facts)
{
    return (djp_http_call){
        .method = facts->texts[0], .url = facts->texts[1], .target = facts->texts[2]};
}

djp_span *
djp__oplog_start_instrument(djp_oplog *log, unsigned instrument, djp_text name,
                            const djp_span_options *options, const djp__span_seed *seed)
{
    const djp__oplog_host *host = &log->owner->host;
    djp__operation_type type;
    return result_is_operation(&type, instrument)
               ? djp__operation_start_as(host->operations, type, options, seed)
               : djp__http_client_start_as(host->http_client, name, options, seed);
}

static void
result_end_call(const djp__oplog_host *host, djp_span *span, const result_facts *facts)
{
    djp_http_call call = result_call(facts);
    djp_http_call_result result = {
        .status = (int)facts->status,
        .resend_count = facts->resends,
        .version = facts->texts[3],
        .error_type = facts->texts[4],
        .error_message = facts->texts[5],
        .cancelled = (facts->flags & DJP_OP_RESULT_CANCELLED) != 0,
        .start_ns = facts->start_ns,
        .end_ns = facts->end_ns,
    };
    djp_http_client_end(host->http_client, span, &call, &result);
}

int
djp__oplog_result(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    result_facts facts;
    djp__operation_type type;
    unsigned instrument = operation->word >> 16;
    if (instrument < DJP_INSTRUMENT_HTTP_CLIENT || instrument > DJP_INSTRUMENT_REQUEST ||
        !result_read(&facts, operation->data, operation->size)) {
        return 0;
    }
    if (log->owner == NULL) {
        return 1; /* not attached: before an attachment, or in a child of an attached parent */
    }
    if (result_is_operation(&type, instrument)) {
        djp__operation_facts given = result_operation(&facts);
        djp__operation_end(log->owner->host.operations, type, span, &given, facts.end_ns);
    } else {
        result_end_call(&log->owner->host, span, &facts);
    }
    if (span != NULL) {
        djp__oplog_close(log, operation->word & 0x7fffu, 1);
    }
    return 1;
}

void
djp__oplog_sampling_fill(djp__oplog_sampling *out, const djp__oplog_host *host,
                         const djp_oplog_root *root)
{
    result_facts facts;
    djp__operation_type type;
    int known = result_read(&facts, root->attributes, root->attributes_size);
    out->count = 0;
    if (result_is_operation(&type, root->kind & ~DJP_OPLOG_INSTRUMENT)) {
        djp__operation_facts given = result_operation(&facts);
        out->name = djp_text_of(djp__operation_at(type)->name);
        out->kind = (unsigned)djp__operation_at(type)->kind;
        if (known) {
            out->count = djp__operation_sampling(out->attributes, host->operations, type, &given);
        }
        return;
    }
    djp_http_call call = result_call(&facts);
    out->name = djp__http_client_name(host->http_client, root->name);
    out->kind = DJP_KIND_CLIENT;
    if (known) {
        djp__http_client_request_init(&out->request, host->http_client, &call);
        out->count = djp__http_client_sampling(out->attributes, host->http_client, &out->request);
    }
}
