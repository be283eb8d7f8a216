/* Families and series by number. JavaScript holds a number, never a pointer, and the number of an
 * earlier SDK is invalid. A hash index by pointer gives one number per series and keeps the table
 * as small as the registry. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

typedef struct table_list {
    void **items; /* by place, from 1 */
    uint32_t *index; /* hash of the pointer -> place, 0 is free; twice the capacity */
    uint32_t count, capacity;
} table_list;

typedef struct djp_node_table {
    pthread_mutex_t mutex;
    uint32_t epoch;
    table_list families, series;
} djp_node_table;

enum { TABLE_FIRST = 64 };
#define TABLE_EPOCH_MASK 0x1fffffu /* bits of a double above 32 */

djp_node_table *
djp_node_table_new(uint32_t epoch)
{
    djp_node_table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        pthread_mutex_init(&table->mutex, NULL);
        table->epoch = epoch & TABLE_EPOCH_MASK;
    }
    return table;
}

static void
table_list_fini(table_list *list)
{
    free(list->items);
    free(list->index);
}

void
djp_node_table_free(djp_node_table *table)
{
    if (table == NULL) {
        return;
    }
    table_list_fini(&table->families);
    table_list_fini(&table->series);
    pthread_mutex_destroy(&table->mutex);
    free(table);
}

static uint32_t *
table_slot(const table_list *list, const void *item)
{
    uint32_t mask = list->capacity * 2 - 1;
    uint32_t at = (uint32_t)(((uintptr_t)item >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (list->index[at] != 0 && list->items[list->index[at]] != item) {
        at = (at + 1) & mask;
    }
    return &list->index[at];
}

static int
table_grow(table_list *list)
{
    uint32_t capacity = list->capacity == 0 ? TABLE_FIRST : list->capacity * 2;
    table_list grown = {.count = list->count, .capacity = capacity};
    grown.items = calloc((size_t)capacity + 1, sizeof *grown.items);
    grown.index = calloc((size_t)capacity * 2, sizeof *grown.index);
    if (grown.items == NULL || grown.index == NULL) {
        table_list_fini(&grown);
        return 0;
    }
    for (uint32_t place = 1; place <= list->count; place++) {
        grown.items[place] = list->items[place];
        *table_slot(&grown, grown.items[place]) = place;
    }
    table_list_fini(list);
    *list = grown;
    return 1;
}

static double
table_number(djp_node_table *table, table_list *list, void *item)
{
    uint32_t place = 0;
    if (item == NULL) {
        return 0;
    }
    pthread_mutex_lock(&table->mutex);
    if (list->count < list->capacity || table_grow(list)) {
        uint32_t *slot = table_slot(list, item);
        if (*slot == 0) {
            list->items[++list->count] = item;
            *slot = list->count;
        }
        place = *slot;
    }
    pthread_mutex_unlock(&table->mutex);
    return place == 0 ? 0 : (double)(((uint64_t)table->epoch << 32) | place);
}

/* Lock held. */
static uint32_t
table_place(const djp_node_table *table, const table_list *list, double number)
{
    if (!(number >= 1 && number < 9007199254740992.0)) {
        return 0;
    }
    uint64_t whole = (uint64_t)number;
    uint32_t place = (uint32_t)whole;
    return whole >> 32 == table->epoch && place <= list->count ? place : 0;
}

static void *
table_at(djp_node_table *table, const table_list *list, double number)
{
    pthread_mutex_lock(&table->mutex);
    uint32_t place = table_place(table, list, number);
    void *item = place == 0 ? NULL : list->items[place];
    pthread_mutex_unlock(&table->mutex);
    return item;
}

double
djp_node_family_number(djp_node_sdk *sdk, djp_family *family)
{
    return table_number(sdk->table, &sdk->table->families, family);
}

double
djp_node_series_number(djp_node_sdk *sdk, djp_series *series)
{
    return table_number(sdk->table, &sdk->table->series, series);
}

djp_family *
djp_node_family_at(djp_node_sdk *sdk, double number)
{
    return sdk == NULL ? NULL : table_at(sdk->table, &sdk->table->families, number);
}

djp_series *
djp_node_series_at(djp_node_sdk *sdk, double number)
{
    return sdk == NULL ? NULL : table_at(sdk->table, &sdk->table->series, number);
}
