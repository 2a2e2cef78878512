/*
 * The implementation under test: hinting requests, acknowledgements and queue numbers.
 *
 * Written from the specification and the README of the vector files alone.  Put your own in its
 * place: vectors.c uses parse_request, judge, parse_ack and queue_index.
 */
#ifndef VHINT_EXAMPLE_HINTING_H
#define VHINT_EXAMPLE_HINTING_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_ORDER 40
#define PFN_LIMIT (UINT64_C(1) << 52)
enum { TYPE_PFN = 1, TYPE_BITMAP = 2 };
enum { OK, PARTIAL, MALFORMED, UNSUPPORTED, INHIBITED, STATUSES };
static const char *const STATUS[] = {"OK", "PARTIAL", "MALFORMED", "UNSUPPORTED", "INHIBITED"};

struct error {
    const char *kind; /* NULL: none */
    char path[40];
    size_t offset;
};

struct request {
    uint16_t type;
    uint32_t count;
    uint64_t cookie;
    uint64_t start_pfn; /* a bitmap's */
    uint32_t order;     /* a bitmap's */
};

struct span {
    uint64_t start, length;
};

struct device {
    uint32_t max_count, min_order;
    int has_bitmap;
    size_t regions;
    struct span ram[4];
};

static uint64_t le(const uint8_t *data, size_t size)
{
    uint64_t value = 0;

    while (size--)
        value = value << 8 | data[size];
    return value;
}

static int fail(struct error *error, const char *kind, const char *path, size_t offset)
{
    error->kind = kind;
    error->offset = offset;
    snprintf(error->path, sizeof error->path, "%s", path);
    return 0;
}

/* Read a field, or report it as short. */
static int field(const uint8_t *data, size_t length, size_t at, size_t size, const char *path,
                 uint64_t *value, struct error *error)
{
    if (at > length || length - at < size)
        return fail(error, "short-input", path, at);
    *value = le(data + at, size);
    return 1;
}

static size_t bytes_of(uint32_t bits)
{
    return bits / 8 + (bits % 8 != 0); /* (bits + 7) / 8 would wrap around */
}

/* A field of (pfn, order, reserved) at `at`; `prefix` is "" or "blocks[N].". */
static int block(const uint8_t *data, size_t length, size_t at, const char *prefix,
                 const char *first, uint64_t *pfn, uint64_t *order, struct error *error)
{
    char path[3][40];
    uint64_t reserved;

    snprintf(path[0], sizeof path[0], "%s%s", prefix, first);
    snprintf(path[1], sizeof path[1], "%sorder", prefix);
    snprintf(path[2], sizeof path[2], "%sreserved", prefix);
    if (!field(data, length, at, 8, path[0], pfn, error))
        return 0;
    if (*pfn >= PFN_LIMIT)
        return fail(error, "out-of-range", path[0], at);
    if (!field(data, length, at + 8, 4, path[1], order, error))
        return 0;
    if (*order > MAX_ORDER)
        return fail(error, "out-of-range", path[1], at + 8);
    if (!field(data, length, at + 12, 4, path[2], &reserved, error))
        return 0;
    return reserved ? fail(error, "reserved-not-zero", path[2], at + 12) : 1;
}

/* `bits` of a bitmap whose `size` bytes begin at `at`: is the padding zero? */
static int padding(const uint8_t *data, size_t at, size_t size, uint32_t bits, const char *path,
                   struct error *error)
{
    if (size && bits % 8 && size == bytes_of(bits) && data[at + size - 1] >> bits % 8)
        return fail(error, "padding-not-zero", path, at + size - 1);
    return 1;
}

static int parse_request(const uint8_t *data, size_t length, struct request *out,
                         struct error *error)
{
    uint64_t value, order;
    size_t at;

    memset(out, 0, sizeof *out);
    if (!field(data, length, 0, 2, "type", &value, error))
        return 0;
    out->type = (uint16_t)value;
    if (out->type != TYPE_PFN && out->type != TYPE_BITMAP)
        return fail(error, "unknown-value", "type", 0);
    if (!field(data, length, 2, 2, "flags", &value, error))
        return 0;
    if (value)
        return fail(error, "reserved-not-zero", "flags", 2);
    if (!field(data, length, 4, 4, "count", &value, error))
        return 0;
    out->count = (uint32_t)value;
    if (!field(data, length, 8, 8, "cookie", &out->cookie, error))
        return 0;
    if (out->type == TYPE_PFN) {
        for (uint32_t i = 0; i < out->count; i++) {
            char prefix[24];
            snprintf(prefix, sizeof prefix, "blocks[%" PRIu32 "].", i);
            if (!block(data, length, 16 + 16 * (size_t)i, prefix, "pfn", &value, &order, error))
                return 0;
        }
        at = 16 + 16 * (size_t)out->count;
    } else {
        if (!block(data, length, 16, "", "start_pfn", &out->start_pfn, &order, error))
            return 0;
        out->order = (uint32_t)order;
        if (length - 32 < bytes_of(out->count))
            return fail(error, "short-input", "bits", 32);
        if (!padding(data, 32, bytes_of(out->count), out->count, "bits", error))
            return 0;
        at = 32 + bytes_of(out->count);
    }
    return length > at ? fail(error, "trailing-bytes", "", at) : 1;
}

static int in_ram(const struct device *device, uint64_t pfn, uint64_t order)
{
    uint64_t pages = UINT64_C(1) << order;

    for (size_t i = 0; i < device->regions; i++) {
        uint64_t first = device->ram[i].start / 4096, count = device->ram[i].length / 4096;
        if (pfn >= first && pfn - first < count && pages <= count - (pfn - first))
            return 1;
    }
    return 0;
}

/* What is wrong with the order of a block, and with where it starts. */
static unsigned judge_block(const struct device *device, uint64_t pfn, uint64_t order)
{
    return (order < device->min_order ? 1u << UNSUPPORTED : 0)
           | (pfn % (UINT64_C(1) << order) ? 1u << MALFORMED : 0);
}

/* The statuses that the rules allow for a request: a mask of 1 << status. */
static unsigned judge(const struct device *device, const uint8_t *data, size_t length)
{
    const unsigned malformed = 1u << MALFORMED, unsupported = 1u << UNSUPPORTED;
    struct error error = {0};
    struct request request;
    unsigned faults = 0;
    uint64_t count, limit, need;

    if (length < 16)
        return malformed;
    if (!parse_request(data, length, &request, &error))
        faults |= strcmp(error.path, "type") ? malformed : unsupported;
    if (le(data + 2, 2))
        faults |= malformed;
    if (request.type != TYPE_PFN && request.type != TYPE_BITMAP)
        return faults | unsupported;
    if (request.type == TYPE_BITMAP && !device->has_bitmap)
        faults |= unsupported; /* and what else is wrong with it may be said instead */
    count = le(data + 4, 4);
    limit = request.type == TYPE_PFN ? device->max_count : UINT64_C(128) * device->max_count;
    if (count > limit)
        faults |= unsupported;
    need = request.type == TYPE_PFN ? 16 + 16 * count : 32 + bytes_of((uint32_t)count);
    if (length != need || error.kind)
        return faults | malformed;
    /* Start and order of a bitmap are fields of the request: they count also without a bit. */
    if (request.type == TYPE_BITMAP)
        faults |= judge_block(device, request.start_pfn, request.order);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *entry = data + 16 + (request.type == TYPE_PFN ? 16 * i : 0);
        uint64_t pfn = le(entry, 8), order = le(entry + 8, 4), size = UINT64_C(1) << order;

        if (request.type == TYPE_PFN)
            faults |= judge_block(device, pfn, order);
        if (request.type == TYPE_BITMAP) {
            if (!(data[32 + i / 8] >> i % 8 & 1))
                continue;
            /* i * size can be 2^72: divide instead. */
            if (i > (PFN_LIMIT - pfn) / size) {
                faults |= malformed;
                continue;
            }
            pfn += i * size;
        }
        if (pfn >= PFN_LIMIT || size > PFN_LIMIT - pfn || !in_ram(device, pfn, order))
            faults |= malformed;
    }
    if (faults)
        return faults;
    return count ? 1u << OK | 1u << PARTIAL | 1u << INHIBITED : 1u << OK;
}

struct ack {
    uint64_t cookie;
    uint32_t status, processed, results; /* results: how many result bits there are */
};

static int parse_ack(const uint8_t *data, size_t length, uint32_t count, struct ack *out,
                     struct error *error)
{
    uint64_t value;
    size_t size;

    if (!field(data, length, 0, 8, "cookie", &out->cookie, error)
        || !field(data, length, 8, 4, "status", &value, error))
        return 0;
    out->status = (uint32_t)value;
    if (out->status >= STATUSES)
        return fail(error, "unknown-value", "status", 8);
    if (!field(data, length, 12, 4, "processed", &value, error))
        return 0;
    out->processed = (uint32_t)value;
    size = length - 16 < bytes_of(count) ? length - 16 : bytes_of(count);
    if (!padding(data, 16, size, count, "results", error))
        return 0;
    out->results = size == bytes_of(count) ? count : (uint32_t)size * 8;
    return length > 16 + size ? fail(error, "trailing-bytes", "", 16 + size) : 1;
}

enum { QUEUES = 6 };
static const char *const QUEUE[QUEUES] = {"inflate", "deflate", "stats", "free_page",
                                          "reporting", "hinting"};
static const int QUEUE_BIT[QUEUES] = {-1, -1, 1, 3, 5, 22};

static int exists(int queue, uint64_t features)
{
    return QUEUE_BIT[queue] < 0 || features >> QUEUE_BIT[queue] & 1;
}

/* The index of a queue when those of `counted` take a number; -1 if it does not exist. */
static int queue_index(int queue, uint64_t accepted, uint64_t counted)
{
    int index = 0;

    for (int before = 0; before < queue; before++)
        index += exists(before, counted);
    return exists(queue, accepted) ? index : -1;
}

#endif
