/*
 * The implementation under test: config space, statistics and PFN arrays of a balloon.
 *
 * Written from the specification and the README of the vector files alone.  Put your own in its
 * place: vectors.c uses parse_config, parse_statistics, parse_pfns and, for what a device makes of
 * the same bytes, whole_entries.
 */
#ifndef VHINT_EXAMPLE_BALLOON_H
#define VHINT_EXAMPLE_BALLOON_H

#include "hinting.h"

enum { CONFIG_FIELDS = 8, CONFIG_ALWAYS = 2, STAT_SIZE = 10, PFN_SIZE = 4 };
static const char *const CONFIG[CONFIG_FIELDS] = {
    "num_pages",   "actual",     "free_page_hint_cmd_id", "poison_val",
    "ws_num_bins", "unassigned", "hint_max_count",        "hint_min_order"};

struct config {
    size_t present; /* fields from the start; the others do not exist */
    uint32_t value[CONFIG_FIELDS];
};

/* A config space that ends after any field but the first. */
static int parse_config(const uint8_t *data, size_t length, struct config *out,
                        struct error *error)
{
    uint64_t value;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < CONFIG_FIELDS; i++) {
        if (i >= CONFIG_ALWAYS && length == 4 * i)
            return 1;
        if (!field(data, length, 4 * i, 4, CONFIG[i], &value, error))
            return 0;
        out->value[out->present++] = (uint32_t)value;
    }
    return length > 4 * CONFIG_FIELDS ? fail(error, "trailing-bytes", "", 4 * CONFIG_FIELDS) : 1;
}

/* What a device makes of a buffer of entries: a part of one at the end does not count. */
static size_t whole_entries(size_t length, size_t size)
{
    return length / size;
}

static uint16_t stat_tag(const uint8_t *data, size_t n)
{
    return (uint16_t)le(data + STAT_SIZE * n, 2);
}

static uint64_t stat_value(const uint8_t *data, size_t n)
{
    return le(data + STAT_SIZE * n + 2, 8);
}

/* A parser refuses what a device ignores: an entry that is not whole. */
static int parse_statistics(const uint8_t *data, size_t length, size_t *count, struct error *error)
{
    char path[40];
    uint64_t value;
    size_t at;

    *count = whole_entries(length, STAT_SIZE);
    at = *count * STAT_SIZE;
    if (at == length)
        return 1;
    snprintf(path, sizeof path, "entries[%zu].tag", *count);
    if (!field(data, length, at, 2, path, &value, error))
        return 0;
    snprintf(path, sizeof path, "entries[%zu].value", *count);
    return field(data, length, at + 2, 8, path, &value, error);
}

static uint32_t pfn_at(const uint8_t *data, size_t n)
{
    return (uint32_t)le(data + PFN_SIZE * n, 4);
}

static int parse_pfns(const uint8_t *data, size_t length, size_t *count, struct error *error)
{
    char path[40];
    uint64_t value;

    *count = whole_entries(length, PFN_SIZE);
    if (*count * PFN_SIZE == length)
        return 1;
    snprintf(path, sizeof path, "pfns[%zu]", *count);
    return field(data, length, *count * PFN_SIZE, PFN_SIZE, path, &value, error);
}

#endif
