/* The memory transport: stores requests in the process until a test takes them. Beyond its limit it
 * rejects; it blocks only while another thread copies. */
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "djp/error.h"
#include "export/transport.h"

#define MEMORY_LIMIT (UINT64_C(64) << 20)

typedef struct memory_transport {
    djp__transport base;
    djp_mutex mutex; /* guards stored */
    djp__buf stored; /* [u32 little-endian size][bytes]... */
} memory_transport;

static const djp__transport_ops memory_ops;

static void
memory_send(djp__transport *base, const void *body, size_t size, const djp__send_control *control,
            djp__send_result *result)
{
    memory_transport *transport = (memory_transport *)base;
    (void)control;
    memset(result, 0, sizeof *result);
    djp__mutex_lock(&transport->mutex);
    if (size > MEMORY_LIMIT || transport->stored.size + 4 + size > MEMORY_LIMIT) {
        result->outcome = DJP__SEND_REJECTED;
        strcpy(result->message, "the memory exporter is full: it holds 64 MiB");
    } else {
        uint8_t head[4] = {(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
                           (uint8_t)(size >> 24)};
        if (djp__buf_reserve(&transport->stored, size + sizeof head)) {
            djp__buf_append(&transport->stored, head, sizeof head);
            djp__buf_append(&transport->stored, body, size);
            result->wire_bytes = size;
        } else {
            transport->stored.failed = 0; /* the stored data remains valid */
            result->outcome = DJP__SEND_REJECTED;
            strcpy(result->message, "out of memory");
        }
    }
    djp__mutex_unlock(&transport->mutex);
}

static void
memory_abandon(djp__transport *base)
{
    memory_transport *transport = (memory_transport *)base;
    /* The stored requests belong to the parent. If its lock was held during the fork, the buffer
     * may be inconsistent: discarded without a free. */
    if (pthread_mutex_trylock(&transport->mutex) == 0) {
        djp__buf_fini(&transport->stored);
        djp__mutex_unlock(&transport->mutex);
    }
    djp__buf_init(&transport->stored, 0);
    djp__mutex_init(&transport->mutex);
}

static void
memory_free(djp__transport *base)
{
    memory_transport *transport = (memory_transport *)base;
    if (transport == NULL) {
        return;
    }
    djp__buf_fini(&transport->stored);
    djp__mutex_fini(&transport->mutex);
    djp__free(transport);
}

static const djp__transport_ops memory_ops = {
    "memory", memory_send, NULL, memory_abandon, memory_free, NULL, 0, 0, NULL};

int
djp__transport_memory_new(djp__transport **out)
{
    memory_transport *transport = djp__calloc(1, sizeof *transport);
    *out = NULL;
    if (transport == NULL) {
        return DJP_ENOMEM;
    }
    transport->base.ops = &memory_ops;
    djp__buf_init(&transport->stored, 0);
    if (djp__mutex_init(&transport->mutex) != 0) {
        djp__free(transport);
        return DJP_ENOMEM;
    }
    *out = &transport->base;
    return 0;
}

int
djp__transport_memory_take(djp__transport *base, djp__buf *out)
{
    memory_transport *transport = (memory_transport *)base;
    if (base == NULL || base->ops != &memory_ops) {
        return 0;
    }
    djp__mutex_lock(&transport->mutex);
    djp__buf_append(out, transport->stored.data, transport->stored.size);
    if (!out->failed) {
        djp__buf_clear(&transport->stored);
    }
    djp__mutex_unlock(&transport->mutex);
    return 1;
}
