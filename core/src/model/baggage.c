/* W3C baggage: an immutable, ordered list of key, value and properties, stored decoded for readers
 * and encoded for the header. It does not cut members, send more than 180 members or 8192 bytes, or
 * send control characters. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/baggage.h"

#include <string.h>

/* Limit of the received text; the rest is dropped, so that a huge header costs bounded time. */
enum { BAGGAGE_INPUT_MAX = 65536 };

struct djp_baggage {
    size_t count;
    djp_text text; /* in the same block, as are the texts of the entries */
    djp_baggage_entry entries[];
};

const djp_baggage djp__baggage_empty = {.count = 0, .text = {"", 0}};

typedef struct baggage_draft {
    /* borrowed; `encoded` marks percent-encoded values */
    djp_baggage_entry items[DJP_BAGGAGE_MEMBERS_MAX];
    unsigned char encoded[DJP_BAGGAGE_MEMBERS_MAX];
    size_t count;
} baggage_draft;

static int
baggage_token_is_valid(djp_text token)
{
    for (size_t i = 0; i < token.size; i++) {
        char c = token.data[i];
        int alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return 0;
        }
    }
    return token.size != 0;
}

static int
baggage_octets_are_valid(djp_text value)
{
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\') {
            return 0;
        }
    }
    return 1;
}

/* Splits at the first '='. Returns 0 without one; key is then the whole text. Both parts are
 * trimmed. */
static int
baggage_split_pair(djp_text *key, djp_text *value, djp_text text)
{
    const char *equals = text.size == 0 ? NULL : memchr(text.data, '=', text.size);
    size_t key_size = equals == NULL ? text.size : (size_t)(equals - text.data);
    *key = djp__text_trim((djp_text){text.data, key_size});
    *value = equals == NULL ? (djp_text){"", 0}
                            : djp__text_trim((djp_text){equals + 1, text.size - key_size - 1});
    return equals != NULL;
}

static int
baggage_property_is_valid(djp_text property)
{
    djp_text key;
    djp_text value;
    baggage_split_pair(&key, &value, property);
    return baggage_token_is_valid(key) && baggage_octets_are_valid(value);
}

static int
baggage_properties_are_valid(djp_text properties)
{
    djp_text property;
    while (djp__text_split(&property, &properties, ';')) {
        if (djp__text_trim(property).size != 0 && !baggage_property_is_valid(property)) {
            return 0;
        }
    }
    return 1;
}

/* Appends an item or, if the key exists, replaces the older one. */
static int
baggage_draft_put(baggage_draft *draft, const djp_baggage_entry *item, int encoded)
{
    size_t i = 0;
    while (i < draft->count &&
           (draft->items[i].key.size != item->key.size ||
            memcmp(draft->items[i].key.data, item->key.data, item->key.size) != 0)) {
        i++;
    }
    if (i == DJP_BAGGAGE_MEMBERS_MAX) {
        return 0;
    }
    draft->items[i] = *item;
    draft->encoded[i] = (unsigned char)encoded;
    draft->count += i == draft->count;
    return 1;
}

static void
baggage_draft_read_member(baggage_draft *draft, djp_text member)
{
    djp_baggage_entry item;
    const char *semicolon = member.size == 0 ? NULL : memchr(member.data, ';', member.size);
    size_t pair_size = semicolon == NULL ? member.size : (size_t)(semicolon - member.data);
    if (!baggage_split_pair(&item.key, &item.value, (djp_text){member.data, pair_size}) ||
        !baggage_token_is_valid(item.key) || !baggage_octets_are_valid(item.value)) {
        return;
    }
    item.properties = semicolon == NULL ? (djp_text){"", 0}
                                        : (djp_text){semicolon + 1, member.size - pair_size - 1};
    baggage_draft_put(draft, &item, 1);
}

static int
baggage_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes into out, which holds text.size bytes. A '%' without two hex digits is unchanged. */
static size_t
baggage_percent_decode(char *out, djp_text text)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        int high =
            text.data[i] == '%' && text.size - i > 2 ? baggage_hex_digit(text.data[i + 1]) : -1;
        int low = high < 0 ? -1 : baggage_hex_digit(text.data[i + 2]);
        if (low < 0) {
            out[size++] = text.data[i];
        } else {
            out[size++] = (char)(high * 16 + low);
            i += 2;
        }
    }
    return size;
}

/* Appends the value as repaired UTF-8 and returns it, valid until store grows. */
static djp_text
baggage_store_value(djp__buf *store, djp_text value, int encoded)
{
    djp_text empty = {"", 0};
    if (value.size == 0) {
        return empty;
    }
    char *copy = djp__alloc(value.size);
    char *room = copy == NULL ? NULL : djp__buf_reserve(store, value.size * 3);
    if (room == NULL) {
        store->failed = 1;
        djp__free(copy);
        return empty;
    }
    size_t size = value.size;
    if (encoded) {
        size = baggage_percent_decode(copy, value);
    } else {
        memcpy(copy, value.data, size);
    }
    djp_text stored = {room, djp__utf8_repair(room, value.size * 3, copy, size, NULL)};
    store->size += stored.size;
    djp__free(copy);
    return stored;
}

/* Appends the valid properties without blanks, joined by ';'. */
static void
baggage_store_properties(djp__buf *store, djp_text properties)
{
    size_t start = store->size;
    djp_text property;
    while (djp__text_split(&property, &properties, ';')) {
        djp_text key;
        djp_text value;
        int has_value = baggage_split_pair(&key, &value, property);
        if (!baggage_token_is_valid(key) || !baggage_octets_are_valid(value)) {
            continue;
        }
        if (store->size != start) {
            djp__buf_char(store, ';');
        }
        djp__buf_append(store, key.data, key.size);
        if (has_value) {
            djp__buf_char(store, '=');
            djp__buf_append(store, value.data, value.size);
        }
    }
}

/* Appends one item to both forms. Returns 0 and appends nothing beyond the size limit. */
static int
baggage_store_item(djp__buf *store, djp__buf *text, djp_baggage_entry *sizes,
                   const djp_baggage_entry *item, int encoded)
{
    size_t store_before = store->size;
    size_t text_before = text->size;
    if (text_before != 0) {
        djp__buf_char(text, ',');
    }
    djp__buf_append(text, item->key.data, item->key.size);
    djp__buf_char(text, '=');
    djp_text value = baggage_store_value(store, item->value, encoded);
    /* '+' is encoded although the grammar allows it, because many readers decode it as a space. */
    djp__percent_encode(text, value, "!#$&'()*/:<=>?@[]^`{|}");
    size_t properties_at = store->size;
    baggage_store_properties(store, item->properties);
    size_t properties_size = store->size - properties_at;
    if (properties_size != 0 && !store->failed) {
        djp__buf_char(text, ';');
        djp__buf_append(text, store->data + properties_at, properties_size);
    }
    djp__buf_append(store, item->key.data, item->key.size);
    if (text->size > DJP_BAGGAGE_SIZE_MAX) {
        store->size = store_before;
        text->size = text_before;
        return 0;
    }
    *sizes = (djp_baggage_entry){
        .key.size = item->key.size, .value.size = value.size, .properties.size = properties_size};
    return 1;
}

/* Moves both forms into one block. sizes has the sizes of value, properties and key, in their order
 * in store. */
static djp_baggage *
baggage_join(const djp__buf *store, const djp__buf *text, const djp_baggage_entry *sizes,
             size_t count)
{
    size_t entries_size = count * sizeof(djp_baggage_entry);
    djp_baggage *baggage =
        djp__alloc(sizeof *baggage + entries_size + store->size + text->size + 1);
    if (baggage == NULL) {
        return NULL;
    }
    char *at = (char *)baggage->entries + entries_size;
    baggage->count = count;
    baggage->text = (djp_text){at + store->size, text->size};
    memcpy(at, store->data, store->size);
    memcpy(at + store->size, text->data, text->size);
    at[store->size + text->size] = '\0';
    for (size_t i = 0; i < count; i++) {
        djp_baggage_entry *entry = &baggage->entries[i];
        *entry = sizes[i];
        entry->value.data = at;
        entry->properties.data = entry->value.data + entry->value.size;
        entry->key.data = entry->properties.data + entry->properties.size;
        at += entry->value.size + entry->properties.size + entry->key.size;
    }
    return baggage;
}

/* strict: returns a list only if every item fits. */
static djp_baggage *
baggage_build(const baggage_draft *draft, int strict)
{
    djp_baggage_entry sizes[DJP_BAGGAGE_MEMBERS_MAX];
    djp_baggage *baggage = NULL;
    size_t count = 0;
    int missed = 0;
    djp__buf store;
    djp__buf text;
    djp__buf_init(&store, 0);
    djp__buf_init(&text, 0);
    for (size_t i = 0; i < draft->count; i++) {
        int fits =
            baggage_store_item(&store, &text, &sizes[count], &draft->items[i], draft->encoded[i]);
        count += (size_t)fits;
        missed |= !fits;
    }
    if (count != 0 && !store.failed && !text.failed && !(strict && missed)) {
        baggage = baggage_join(&store, &text, sizes, count);
    }
    djp__buf_fini(&store);
    djp__buf_fini(&text);
    return baggage;
}

djp_baggage *
djp_baggage_parse(const djp_header *fields, size_t count)
{
    baggage_draft draft;
    draft.count = 0;
    size_t budget = BAGGAGE_INPUT_MAX;
    for (size_t i = 0; i < count; i++) {
        djp_text rest = fields[i];
        djp_text member;
        while (djp__text_split(&member, &rest, ',') && member.size < budget) {
            budget -= member.size + 1;
            baggage_draft_read_member(&draft, member);
        }
    }
    return baggage_build(&draft, 0);
}

static void
baggage_draft_copy(baggage_draft *draft, const djp_baggage *baggage)
{
    draft->count = djp_baggage_count(baggage);
    for (size_t i = 0; i < draft->count; i++) {
        draft->items[i] = baggage->entries[i];
        draft->encoded[i] = 0;
    }
}

djp_baggage *
djp_baggage_set(const djp_baggage *baggage, const djp_baggage_entry *entry)
{
    if (entry == NULL || entry->key.data == NULL || !baggage_token_is_valid(entry->key) ||
        entry->value.size > DJP_BAGGAGE_SIZE_MAX ||
        (entry->value.data == NULL && entry->value.size != 0) ||
        !baggage_properties_are_valid(entry->properties)) {
        return NULL;
    }
    baggage_draft draft;
    baggage_draft_copy(&draft, baggage);
    if (!baggage_draft_put(&draft, entry, 0)) {
        return NULL;
    }
    return baggage_build(&draft, 1);
}

djp_baggage *
djp_baggage_remove(const djp_baggage *baggage, djp_text key)
{
    baggage_draft draft;
    baggage_draft_copy(&draft, baggage);
    size_t kept = 0;
    for (size_t i = 0; i < draft.count; i++) {
        djp_text have = draft.items[i].key;
        if (key.data == NULL || have.size != key.size ||
            memcmp(have.data, key.data, key.size) != 0) {
            draft.items[kept++] = draft.items[i];
        }
    }
    draft.count = kept;
    return baggage_build(&draft, 1);
}

size_t
djp_baggage_count(const djp_baggage *baggage)
{
    return baggage == NULL ? 0 : baggage->count;
}

int
djp_baggage_entry_at(djp_baggage_entry *out, const djp_baggage *baggage, size_t i)
{
    if (i >= djp_baggage_count(baggage)) {
        memset(out, 0, sizeof *out);
        return 0;
    }
    *out = baggage->entries[i];
    return 1;
}

djp_text
djp_baggage_text(const djp_baggage *baggage)
{
    return baggage == NULL ? (djp_text){"", 0} : baggage->text;
}

void
djp_baggage_free(djp_baggage *baggage)
{
    djp__free(baggage);
}
