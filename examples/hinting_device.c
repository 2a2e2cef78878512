/*
 * A virtio memory balloon that takes free page hints, over vhost-user, in one file.
 *
 * Written from the specification alone, to be read beside it and to start from. It has
 *
 *     inflate, deflate         the profile balloon
 *     free page reporting      the profile reporting (feature bit 5)
 *     hints as PFN arrays      the profile hint-pfn (feature bit 22)
 *     hints as bitmaps         the profile hint-bitmap (feature bit 23)
 *     page poison              feature bit 4
 *
 * in split rings with indirect descriptors and EVENT_IDX. What the driver gives up is really
 * given back: a hole is punched into the file behind guest memory, before the buffer is used.
 *
 *     cc -std=c11 -Wall -Wextra -O2 -o hinting_device examples/hinting_device.c
 *     ./hinting_device SOCKET [COMMANDS]
 *
 * It listens at SOCKET and serves one front end after the other. At COMMANDS, if given, it takes
 * lines from the host's side: "balloon N" (a target in pages), "inhibit on", "inhibit off",
 * "help".
 *
 * One thread does everything, in turn: a message is answered when nothing is under way, so that a
 * completed reset needs no waiting. Everything that comes from the other side is hostile until it
 * has been copied and checked. Words such as hint.device.use-once are names of requirements.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <linux/virtio_ring.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n) (UINT64_C(1) << (n))

/* ---- What the specification fixes -------------------------------------------------------- */

enum feature {
	F_PAGE_POISON = 4,
	F_REPORTING = 5,
	F_HINTING = 22,
	F_HINTING_BITMAP = 23,
	F_INDIRECT_DESC = 28,
	F_EVENT_IDX = 29,
	F_PROTOCOL_FEATURES = 30, /* of vhost-user; no driver ever sees it */
	F_VERSION_1 = 32,
};

enum status {
	S_ACKNOWLEDGE = 1,
	S_DRIVER = 2,
	S_DRIVER_OK = 4,
	S_FEATURES_OK = 8,
	S_NEEDS_RESET = 64,
	S_LIVE = S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK,
};

enum hint_type { HINT_PFN = 1, HINT_BITMAP = 2 };

enum hint_status { HINT_OK, HINT_PARTIAL, HINT_MALFORMED, HINT_UNSUPPORTED, HINT_INHIBITED };

enum {
	PFN_SHIFT = 12, /* the unit of a PFN, whatever the page sizes of guest and host */
	PFN_BITS = 52,
	ORDER_MAX = 40,
	BITS_PER_ENTRY = 128, /* of a bitmap: as many bits as an entry has */
};

struct hint_header { /* little-endian, like all that follows */
	uint16_t type, flags;
	uint32_t count;
	uint64_t cookie;
};

struct hint_entry {
	uint64_t pfn;
	uint32_t order, reserved;
};

struct hint_bitmap {
	uint64_t start_pfn;
	uint32_t order, reserved;
	uint8_t bits[];
};

struct hint_ack {
	uint64_t cookie;
	uint32_t status, processed;
};

struct config {
	uint32_t num_pages;
	uint32_t actual;
	uint32_t free_page_hint_cmd_id; /* reads as 0: not offered */
	uint32_t poison_val;
	uint32_t unassigned[2];
	uint32_t hint_max_count;
	uint32_t hint_min_order;
};

_Static_assert(sizeof(struct hint_header) == 16, "hint_header");
_Static_assert(sizeof(struct hint_entry) == 16, "hint_entry");
_Static_assert(sizeof(struct hint_bitmap) == 16, "hint_bitmap");
_Static_assert(sizeof(struct hint_ack) == 16, "hint_ack");
_Static_assert(sizeof(struct config) == 32, "config");

/* ---- What this device chooses ------------------------------------------------------------ */

#define OFFERED                                                                                  \
	(BIT(F_PAGE_POISON) | BIT(F_REPORTING) | BIT(F_HINTING) | BIT(F_HINTING_BITMAP) |        \
	 BIT(F_INDIRECT_DESC) | BIT(F_EVENT_IDX) | BIT(F_VERSION_1))

/* Queues are numbered in the mode compact-offered: without gaps, over the features on offer. */
enum { INFLATE, DEFLATE, REPORTING, HINTING, QUEUES };

enum {
	HINT_MAX_COUNT = 1024,
	HINT_BODY_MAX = 16 * (1 + HINT_MAX_COUNT), /* what follows the header, of either type */
	RESULT_MAX = 16 * HINT_MAX_COUNT,	   /* bytes: a bit for each bit of a bitmap */
	RANGES_MAX = 64 * HINT_MAX_COUNT,	   /* every other bit of the longest bitmap */
	QUEUE_SIZE_MAX = 32768,
	CHAIN_MAX = 1024, /* descriptors, those of an indirect table among them */
	INFLATE_MAX = 4 << 20, /* bytes of page numbers: 4 GiB of pages; more stay as they are */
	REGIONS_MAX = 8,
};

/* ---- State ------------------------------------------------------------------------------- */

/* Addresses of guest memory, both ends included: an end that is excluded could be 2^64. */
struct range {
	uint64_t first, last;
};

struct region {
	struct range guest;
	uint64_t user;	 /* where the front end has it mapped: ring addresses are given so */
	uint64_t offset; /* of its first byte in the file */
	uint64_t unit;	 /* what can be discarded of that file: a host page */
	uint8_t *at;	 /* where we have it mapped */
	void *map;
	size_t map_size;
	int fd;
};

struct ring {
	uint32_t size; /* 0: not set up */
	uint64_t desc_user, avail_user, used_user;
	uint16_t next; /* index of the next available entry; all before it are used */
	int kick, call, error;
	bool addressed, enabled;
	bool kicked;  /* since it was set up */
	bool pending; /* is to be looked at */
	bool broken;  /* by the driver: not looked at until it is set up again */
};

struct segment {
	uint64_t address;
	uint32_t length;
};

struct chain {
	size_t readables, writables;	    /* numbers of segments */
	struct segment segments[CHAIN_MAX]; /* the readable ones come first */
};

struct device {
	uint64_t features; /* as the driver accepted them */
	uint64_t protocol_features;
	uint8_t status;
	struct config config; /* in the byte order of this machine */
	bool inhibited;	      /* the host cannot do without its pages at present */

	struct region regions[REGIONS_MAX];
	size_t region_count;
	struct ring rings[QUEUES];

	int connection, notices; /* the front end's socket, and the one on which we begin */

	/* Work space: one request is held at a time. */
	struct chain chain;
	struct range ranges[RANGES_MAX];
	bool kept[RANGES_MAX]; /* the range of this number is certain to be whole */
	size_t range_count;
	union {
		struct hint_entry entries[HINT_MAX_COUNT];
		struct hint_bitmap bitmap;
		uint8_t bytes[HINT_BODY_MAX];
	} body;
	uint8_t ack[sizeof(struct hint_ack) + RESULT_MAX];
};

static bool negotiated(const struct device *device, enum feature feature)
{
	return device->features & BIT(feature);
}

/* ---- Guest memory ------------------------------------------------------------------------ */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static const struct region *region_of(const struct device *device, uint64_t address)
{
	for (size_t i = 0; i < device->region_count; i++) {
		const struct region *region = &device->regions[i];
		if (address >= region->guest.first && address <= region->guest.last)
			return region;
	}
	return NULL;
}

/* Whether every byte is RAM. It need not be one region that holds them all. */
static bool is_ram(const struct device *device, struct range range)
{
	const struct region *region;
	while ((region = region_of(device, range.first)) && region->guest.last < range.last)
		range.first = region->guest.last + 1;
	return region;
}

/* The range of so many bytes, at least one; what would pass 2^64 is cut off. */
static struct range range_of(uint64_t address, uint64_t length)
{
	return (struct range){address, address + min_u64(length - 1, UINT64_MAX - address)};
}

/* The same of pages. Whoever calls has seen to it that the last ends at or before 2^64. */
static struct range pages_of(uint64_t pfn, uint64_t count)
{
	return (struct range){pfn << PFN_SHIFT, ((pfn + count) << PFN_SHIFT) - 1};
}

/* Whether a buffer is RAM, all of it. */
static bool segment_is_ram(const struct device *device, const struct segment *segment)
{
	if (segment->length == 0)
		return true;
	if (segment->length - 1 > UINT64_MAX - segment->address)
		return false;
	return is_ram(device, range_of(segment->address, segment->length));
}

enum direction { FROM_GUEST, TO_GUEST };

/* Copy between guest memory, which is RAM as far as it is named here, and memory of our own. */
static void copy_ram(const struct device *device, uint64_t address, uint8_t *own, size_t length,
		     enum direction direction)
{
	while (length > 0) {
		const struct region *region = region_of(device, address);
		size_t piece = min_u64(length - 1, region->guest.last - address) + 1;
		uint8_t *at = region->at + (address - region->guest.first);
		if (direction == FROM_GUEST)
			memcpy(own, at, piece);
		else
			memcpy(at, own, piece);
		own += piece;
		address += piece;
		length -= piece;
	}
	/* The driver can write at any time. Keep the compiler from reading a second time. */
	atomic_signal_fence(memory_order_seq_cst);
}

/* Ring addresses are the front end's own. Returns NULL unless one region holds all of it. */
static void *ring_part(const struct device *device, uint64_t user, uint64_t length, size_t align)
{
	for (size_t i = 0; i < device->region_count; i++) {
		const struct region *region = &device->regions[i];
		uint64_t last = region->guest.last - region->guest.first;
		if (user < region->user || user - region->user > last)
			continue;
		uint64_t offset = user - region->user;
		uint8_t *at = region->at + offset;
		if (length - 1 > last - offset || (uintptr_t)at % align != 0)
			return NULL;
		return at;
	}
	return NULL;
}

/* ---- Split rings ------------------------------------------------------------------------- */

/* The three parts of a ring, mapped and as long as they have to be. */
struct parts {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t *used_event, *avail_event; /* behind avail and used; with EVENT_IDX only */
};

/* Shared with the driver, so each access is atomic and its order is part of the protocol. */
static uint16_t load_acquire(const uint16_t *at)
{
	return le16toh(__atomic_load_n(at, __ATOMIC_ACQUIRE));
}

static void store_release(uint16_t *at, uint16_t value)
{
	__atomic_store_n(at, htole16(value), __ATOMIC_RELEASE);
}

static bool find_parts(const struct device *device, const struct ring *ring, struct parts *parts)
{
	size_t size = ring->size, event = negotiated(device, F_EVENT_IDX) ? 2 : 0;

	parts->desc = ring_part(device, ring->desc_user, 16 * size, 16);
	parts->avail = ring_part(device, ring->avail_user, 4 + 2 * size + event, 2);
	parts->used = ring_part(device, ring->used_user, 4 + 8 * size + event, 4);
	if (!parts->desc || !parts->avail || !parts->used)
		return false;
	parts->used_event = &parts->avail->ring[size];
	parts->avail_event = (uint16_t *)&parts->used->ring[size];
	return true;
}

/* Add a buffer to the chain. Returns false if it does not belong there. */
static bool add_segment(struct chain *chain, const struct vring_desc *desc)
{
	bool writable = le16toh(desc->flags) & VRING_DESC_F_WRITE;
	size_t count = chain->readables + chain->writables;

	if (count == CHAIN_MAX || (!writable && chain->writables > 0))
		return false;
	chain->segments[count] = (struct segment){le64toh(desc->addr), le32toh(desc->len)};
	*(writable ? &chain->writables : &chain->readables) += 1;
	return true;
}

/* One descriptor of a table in guest memory, copied: the copy is checked, and used. */
static struct vring_desc table_entry(const struct device *device, uint64_t table, uint16_t index)
{
	struct vring_desc desc;
	copy_ram(device, table + 16 * (uint64_t)index, (uint8_t *)&desc, sizeof(desc), FROM_GUEST);
	return desc;
}

static bool walk_indirect(const struct device *device, struct chain *chain,
			  const struct vring_desc *refer)
{
	struct segment table = {le64toh(refer->addr), le32toh(refer->len)};
	uint32_t entries = table.length / 16;

	if (le16toh(refer->flags) & VRING_DESC_F_NEXT)
		return false;
	if (entries == 0 || entries > CHAIN_MAX || table.length % 16 != 0 ||
	    !segment_is_ram(device, &table))
		return false;
	for (uint32_t i = 0, steps = 0; steps < entries; steps++) {
		struct vring_desc desc = table_entry(device, table.address, i);
		uint16_t flags = le16toh(desc.flags);
		if (flags & VRING_DESC_F_INDIRECT || !add_segment(chain, &desc))
			return false;
		if (!(flags & VRING_DESC_F_NEXT))
			return true;
		i = le16toh(desc.next);
		if (i >= entries)
			return false;
	}
	return false; /* a circle */
}

/* Follow the chain from its head. Returns false if it is broken: then nothing of it is used. */
static bool walk(const struct device *device, const struct ring *ring, const struct parts *parts,
		 struct chain *chain, uint16_t head)
{
	chain->readables = chain->writables = 0;
	for (uint32_t i = head, steps = 0; steps < ring->size; steps++) {
		struct vring_desc desc;
		memcpy(&desc, &parts->desc[i], sizeof(desc));
		atomic_signal_fence(memory_order_seq_cst);
		uint16_t flags = le16toh(desc.flags);
		if (flags & VRING_DESC_F_INDIRECT)
			return negotiated(device, F_INDIRECT_DESC) &&
			       walk_indirect(device, chain, &desc);
		if (!add_segment(chain, &desc))
			return false;
		if (!(flags & VRING_DESC_F_NEXT))
			return true;
		i = le16toh(desc.next);
		if (i >= ring->size)
			return false;
	}
	return false;
}

/* The segments of one direction of a chain, taken as one string of bytes. */
struct span {
	const struct segment *segments;
	size_t count;
};

static struct span readable(const struct chain *chain)
{
	return (struct span){chain->segments, chain->readables};
}

static struct span writable(const struct chain *chain)
{
	return (struct span){chain->segments + chain->readables, chain->writables};
}

static uint64_t span_size(struct span span)
{
	uint64_t size = 0; /* at most 1024 times 2^32 */
	for (size_t i = 0; i < span.count; i++)
		size += span.segments[i].length;
	return size;
}

static bool span_is_ram(const struct device *device, struct span span)
{
	for (size_t i = 0; i < span.count; i++) {
		if (!segment_is_ram(device, &span.segments[i]))
			return false;
	}
	return true;
}

/* Copy from or to the bytes of a span that is RAM, from offset on. Returns how many there were. */
static size_t span_copy(const struct device *device, struct span span, uint64_t offset, void *own,
			size_t length, enum direction direction)
{
	size_t done = 0;
	for (size_t i = 0; i < span.count && done < length; i++) {
		const struct segment *segment = &span.segments[i];
		if (offset >= segment->length) {
			offset -= segment->length;
			continue;
		}
		size_t piece = min_u64(length - done, segment->length - offset);
		copy_ram(device, segment->address + offset, (uint8_t *)own + done, piece,
			 direction);
		done += piece;
		offset = 0;
	}
	return done;
}

/* ---- Discarding -------------------------------------------------------------------------- */

static void add_range(struct device *device, struct range range)
{
	device->ranges[device->range_count++] = range;
}

static int by_address(const void *left, const void *right)
{
	const struct range *a = left, *b = right;
	return (a->first > b->first) - (a->first < b->first);
}

/* Put the ranges in order and make one of those that overlap or touch. */
static void merge_ranges(struct device *device)
{
	struct range *ranges = device->ranges;
	size_t last = 0;

	if (device->range_count == 0)
		return;
	qsort(ranges, device->range_count, sizeof(*ranges), by_address);
	for (size_t i = 1; i < device->range_count; i++) {
		if (ranges[last].last == UINT64_MAX || ranges[i].first <= ranges[last].last + 1)
			ranges[last].last = max_u64(ranges[last].last, ranges[i].last);
		else
			ranges[++last] = ranges[i];
	}
	device->range_count = last + 1;
}

/*
 * Discard the host pages that lie entirely inside the range, as far as it is RAM. It is rounded
 * region by region in the file, where host pages are aligned; guest addresses tell nothing.
 *
 * Returns whether the range is certain to be whole although it was to be discarded. An error of
 * which that is not certain counts as a discard.
 */
static bool discard(const struct device *device, struct range range)
{
	bool lost = false, refused = false;

	for (size_t i = 0; i < device->region_count; i++) {
		const struct region *region = &device->regions[i];
		uint64_t first = max_u64(range.first, region->guest.first);
		uint64_t last = min_u64(range.last, region->guest.last);
		if (first > last)
			continue;
		uint64_t unit = region->unit;
		uint64_t start = region->offset + (first - region->guest.first);
		uint64_t end = region->offset + (last - region->guest.first) + 1;
		start = (start + unit - 1) / unit * unit;
		end = end / unit * unit;
		if (start >= end)
			continue;
		if (fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)start, (off_t)(end - start)) == 0)
			lost = true;
		else if (errno == EOPNOTSUPP || errno == EPERM || errno == EBADF)
			refused = true; /* before anything was done */
		else
			lost = true;
	}
	return refused && !lost;
}

static void discard_ranges(struct device *device)
{
	for (size_t i = 0; i < device->range_count; i++)
		device->kept[i] = discard(device, device->ranges[i]);
}

/* Whether discarded pages, which read as zeros, would break what the driver was promised. */
static bool poisoned(const struct device *device)
{
	return negotiated(device, F_PAGE_POISON) && device->config.poison_val != 0;
}

/* ---- What the queues do ------------------------------------------------------------------ */

/*
 * Each takes the chain that is in device->chain, has its effect on pages, writes its answer if
 * the queue has one, and returns how many bytes it wrote. Then the chain is used.
 */

/* The driver's pages go into the balloon. poison_val does not matter: the driver refills them. */
static uint32_t serve_inflate(struct device *device)
{
	struct span span = readable(&device->chain);
	uint32_t pfns[1024];
	uint64_t offset = 0;

	if (device->inhibited || !span_is_ram(device, span))
		return 0;
	for (;;) {
		size_t got = span_copy(device, span, offset, pfns, sizeof(pfns), FROM_GUEST);
		device->range_count = 0;
		for (size_t i = 0; i < got / 4; i++) {
			add_range(device, pages_of(le32toh(pfns[i]), 1)); /* in 64 bits */
		}
		merge_ranges(device);
		discard_ranges(device);
		offset += got;
		if (got < sizeof(pfns) || offset >= INFLATE_MAX)
			return 0;
	}
}

/* The driver takes pages back. They are ordinary memory, so there is nothing to do. */
static uint32_t serve_deflate(struct device *device)
{
	(void)device;
	return 0;
}

/* The device-writable buffers are the pages. */
static uint32_t serve_reporting(struct device *device)
{
	struct span span = writable(&device->chain);

	if (device->inhibited || poisoned(device))
		return 0;
	for (size_t i = 0; i < span.count; i++) {
		const struct segment *segment = &span.segments[i];
		if (segment->length > 0)
			discard(device, range_of(segment->address, segment->length));
	}
	return 0;
}

static bool get_bit(const uint8_t *bits, uint64_t n)
{
	return bits[n / 8] >> (n % 8) & 1;
}

static void set_bit(uint8_t *bits, uint64_t n)
{
	bits[n / 8] |= (uint8_t)(1u << (n % 8));
}

/* Judge a PFN array of count entries (V10 to V15), and list its blocks as ranges. */
static enum hint_status validate_entries(struct device *device, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t pfn = le64toh(device->body.entries[i].pfn);
		uint32_t order = le32toh(device->body.entries[i].order);
		if (device->body.entries[i].reserved != 0 || order > ORDER_MAX)
			return HINT_MALFORMED;
		if (order < device->config.hint_min_order)
			return HINT_UNSUPPORTED;
		if (pfn > BIT(PFN_BITS) - BIT(order) || pfn % BIT(order) != 0)
			return HINT_MALFORMED;
		struct range range = pages_of(pfn, BIT(order));
		if (!is_ram(device, range))
			return HINT_MALFORMED;
		add_range(device, range);
	}
	return HINT_OK;
}

/* Judge a bitmap of count bits (V20 to V27), and list its runs of named blocks as ranges. */
static enum hint_status validate_bitmap(struct device *device, uint32_t count)
{
	const struct hint_bitmap *bitmap = &device->body.bitmap;
	uint64_t start = le64toh(bitmap->start_pfn);
	uint32_t order = le32toh(bitmap->order);

	if (bitmap->reserved != 0 || order > ORDER_MAX || start >= BIT(PFN_BITS))
		return HINT_MALFORMED;
	for (uint64_t n = count; n % 8 != 0; n++) {
		if (get_bit(bitmap->bits, n))
			return HINT_MALFORMED;
	}
	if (order < device->config.hint_min_order)
		return HINT_UNSUPPORTED;
	if (start % BIT(order) != 0)
		return HINT_MALFORMED;
	for (uint64_t n = 0; n < count; n++) {
		if (!get_bit(bitmap->bits, n))
			continue;
		uint64_t run = n;
		while (n + 1 < count && get_bit(bitmap->bits, n + 1))
			n++;
		/* Divide: the product can be larger than 64 bits. */
		if (n >= (BIT(PFN_BITS) - start) >> order)
			return HINT_MALFORMED;
		struct range range = pages_of(start + (run << order), (n - run + 1) << order);
		if (!is_ram(device, range))
			return HINT_MALFORMED;
		add_range(device, range);
	}
	return HINT_OK;
}

/* Whether a block was accepted. It lies in one of the ranges, which are in order. */
static bool accepted(const struct device *device, uint64_t address)
{
	size_t low = 0, high = device->range_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (device->ranges[middle].first <= address)
			low = middle;
		else
			high = middle;
	}
	return !device->kept[low];
}

/* Write the acknowledgement, with as many of the result bytes as there is room for. */
static uint32_t acknowledge(struct device *device, uint64_t cookie, enum hint_status status,
			    uint32_t processed, size_t result_bytes)
{
	struct hint_ack ack = {htole64(cookie), htole32(status), htole32(processed)};

	memcpy(device->ack, &ack, sizeof(ack));
	return (uint32_t)span_copy(device, writable(&device->chain), 0, device->ack,
				   sizeof(ack) + result_bytes, TO_GUEST);
}

/* A request for hinting, step by step as in the specification's table. */
static uint32_t serve_hinting(struct device *device)
{
	struct span request = readable(&device->chain), room = writable(&device->chain);
	struct hint_header head;

	if (!span_is_ram(device, request) || !span_is_ram(device, room))
		return 0; /* a broken chain: it cannot be read, or not be answered */
	if (span_size(room) < sizeof(struct hint_ack))
		return 0; /* V1 */
	if (span_copy(device, request, 0, &head, sizeof(head), FROM_GUEST) < sizeof(head))
		return acknowledge(device, 0, HINT_MALFORMED, 0, 0); /* V2, V3 */

	uint16_t type = le16toh(head.type);
	uint32_t count = le32toh(head.count);
	uint64_t cookie = le64toh(head.cookie);
	uint64_t body, limit;
	if (type == HINT_PFN) {
		limit = HINT_MAX_COUNT;
		body = sizeof(struct hint_entry) * (uint64_t)count;
	} else if (type == HINT_BITMAP && negotiated(device, F_HINTING_BITMAP)) {
		limit = (uint64_t)BITS_PER_ENTRY * HINT_MAX_COUNT;
		body = sizeof(struct hint_bitmap) + ((uint64_t)count + 7) / 8;
	} else {
		return acknowledge(device, cookie, HINT_UNSUPPORTED, 0, 0); /* V4, V5 */
	}
	if (count > limit)
		return acknowledge(device, cookie, HINT_UNSUPPORTED, 0, 0); /* V6 */
	if (head.flags != 0 || span_size(request) != sizeof(head) + body)
		return acknowledge(device, cookie, HINT_MALFORMED, 0, 0); /* V7, V8 */
	span_copy(device, request, sizeof(head), &device->body, body, FROM_GUEST); /* V9 */

	/* From here on nothing is read from the driver, and what is judged is the copy. */
	device->range_count = 0;
	enum hint_status status = type == HINT_PFN ? validate_entries(device, count)
						   : validate_bitmap(device, count);
	if (status != HINT_OK)
		return acknowledge(device, cookie, status, 0, 0);
	if (count > 0 && (device->inhibited || poisoned(device)))
		return acknowledge(device, cookie, HINT_INHIBITED, 0, 0); /* V31 */

	merge_ranges(device);
	discard_ranges(device);

	uint8_t *results = device->ack + sizeof(struct hint_ack);
	size_t result_bytes = ((size_t)count + 7) / 8;
	uint32_t named = 0, processed = 0;
	memset(results, 0, result_bytes);
	for (uint32_t n = 0; n < count; n++) {
		uint64_t pfn;
		if (type == HINT_PFN)
			pfn = le64toh(device->body.entries[n].pfn);
		else if (get_bit(device->body.bitmap.bits, n))
			pfn = le64toh(device->body.bitmap.start_pfn) +
			      ((uint64_t)n << le32toh(device->body.bitmap.order));
		else
			continue;
		named++;
		if (!accepted(device, pfn << PFN_SHIFT))
			continue;
		processed++;
		set_bit(results, n);
	}
	status = processed == named ? HINT_OK : HINT_PARTIAL;
	return acknowledge(device, cookie, status, processed, result_bytes);
}

static const struct queue {
	uint64_t needs; /* the feature without which it does nothing, as a mask */
	uint32_t (*serve)(struct device *device);
} queues[QUEUES] = {
	[INFLATE] = {0, serve_inflate},
	[DEFLATE] = {0, serve_deflate},
	[REPORTING] = {BIT(F_REPORTING), serve_reporting},
	[HINTING] = {BIT(F_HINTING), serve_hinting},
};

/* ---- vhost-user: the protocol's numbers -------------------------------------------------- */

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	SET_BACKEND_REQ_FD = 21,
	GET_CONFIG = 24,
	SET_CONFIG = 25,
	RESET_DEVICE = 34,
	SET_STATUS = 39,
	GET_STATUS = 40,
};

enum protocol_feature {
	P_MQ = 0,
	P_REPLY_ACK = 3,
	P_BACKEND_REQ = 5,
	P_CONFIG = 9,
	P_RESET_DEVICE = 13,
	P_STATUS = 16,
};

#define PROTOCOL_OFFERED                                                                         \
	(BIT(P_MQ) | BIT(P_REPLY_ACK) | BIT(P_BACKEND_REQ) | BIT(P_CONFIG) |                     \
	 BIT(P_RESET_DEVICE) | BIT(P_STATUS))

enum {
	VERSION = 1,
	VERSION_MASK = 3,
	FLAG_REPLY = 4,
	FLAG_NEED_REPLY = 8,
	VRING_INDEX_MASK = 0xff,
	VRING_NO_FD = 0x100,
	CONFIG_MAX = 256,
	BACKEND_CONFIG_CHANGE = 2,
};

struct header {
	uint32_t request, flags, size;
};

struct memory_region {
	uint64_t guest, size, user, offset;
};

union payload {
	uint64_t u64;
	struct {
		uint32_t index, num;
	} vring;
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} address;
	struct {
		uint32_t count, padding;
		struct memory_region regions[REGIONS_MAX];
	} memory;
	struct {
		uint32_t offset, size, flags;
		uint8_t bytes[CONFIG_MAX];
	} config;
};

enum { CONFIG_HEAD = 12, MEMORY_HEAD = 8 };

struct message {
	struct header header;
	union payload payload;
	int fds[REGIONS_MAX];
	size_t fd_count;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- Rings at work ----------------------------------------------------------------------- */

static void signal_fd(int fd)
{
	uint64_t one = 1;
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0) {
		/* It is full, so the other side has something to read; or that side is gone. */
	}
}

static bool speaks(const struct device *device, enum protocol_feature feature)
{
	return device->protocol_features & BIT(feature);
}

static void notify_config_change(const struct device *device)
{
	struct header header = {BACKEND_CONFIG_CHANGE, VERSION, 0};
	if (device->notices >= 0)
		send(device->notices, &header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The driver broke a ring, so that no further chain can be told from it. A reset helps. */
static void break_ring(struct device *device, struct ring *ring)
{
	ring->broken = true;
	signal_fd(ring->error);
	if (speaks(device, P_STATUS)) {
		device->status |= S_NEEDS_RESET;
		notify_config_change(device);
	}
}

/* A set that this device works with. */
static bool features_acceptable(uint64_t features)
{
	if (features & ~(OFFERED | BIT(F_PROTOCOL_FEATURES)) || !(features & BIT(F_VERSION_1)))
		return false;
	return !(features & BIT(F_HINTING_BITMAP)) || features & BIT(F_HINTING);
}

/* Whether the driver has said that the device may use its queues. */
static bool live(const struct device *device)
{
	if (!features_acceptable(device->features))
		return false;
	return !speaks(device, P_STATUS) || (device->status & (S_LIVE | S_NEEDS_RESET)) == S_LIVE;
}

static bool runnable(const struct device *device, size_t index)
{
	const struct ring *ring = &device->rings[index];
	uint64_t needs = queues[index].needs;

	if (!live(device) || (device->features & needs) != needs)
		return false;
	/*
	 * Chains can wait since before DRIVER_OK. Without STATUS the first kick stands for it, but
	 * a ring that ran before may have had its kick.
	 */
	if (ring->kick < 0 || (!speaks(device, P_STATUS) && !ring->kicked && ring->next == 0))
		return false;
	bool enabled = ring->enabled || !(device->features & BIT(F_PROTOCOL_FEATURES));
	return enabled && ring->size > 0 && ring->addressed && !ring->broken;
}

/* Whether the driver wants to hear of the entries used since old, now that next is the index. */
static bool wants_call(const struct device *device, const struct parts *parts, uint16_t old,
		       uint16_t next)
{
	if (old == next)
		return false;
	atomic_thread_fence(memory_order_seq_cst); /* the used index before this look */
	if (negotiated(device, F_EVENT_IDX))
		return vring_need_event(load_acquire(parts->used_event), next, old);
	return !(load_acquire(&parts->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/*
 * Take what is available, use it, and notify the driver. Takes no more than a queue of chains, so
 * that a driver which never stops does not keep us from other work; then pending stays set.
 */
static void serve_ring(struct device *device, size_t index)
{
	struct ring *ring = &device->rings[index];
	struct parts parts;
	uint16_t old = ring->next;

	ring->pending = false;
	if (!find_parts(device, ring, &parts)) {
		break_ring(device, ring);
		return;
	}
	for (uint32_t budget = ring->size;; budget--) {
		uint16_t waiting = load_acquire(&parts.avail->idx) - ring->next;
		if (waiting == 0 && negotiated(device, F_EVENT_IDX)) {
			/* Ask for the next kick, and look again: one could have been missed. */
			store_release(parts.avail_event, ring->next);
			atomic_thread_fence(memory_order_seq_cst);
			waiting = load_acquire(&parts.avail->idx) - ring->next;
		}
		if (waiting == 0)
			break;
		if (budget == 0) {
			ring->pending = true;
			break;
		}
		uint16_t head = load_acquire(&parts.avail->ring[ring->next % ring->size]);
		if (head >= ring->size || waiting > ring->size) {
			break_ring(device, ring);
			break;
		}
		/* A chain that is broken in itself comes back, with nothing done. */
		uint32_t length = 0;
		if (walk(device, ring, &parts, &device->chain, head))
			length = queues[index].serve(device);

		struct vring_used_elem *used = &parts.used->ring[ring->next % ring->size];
		used->id = htole32(head);
		used->len = htole32(length);
		store_release(&parts.used->idx, ++ring->next);
	}
	if (wants_call(device, &parts, old, ring->next))
		signal_fd(ring->call);
}

/* Nothing is under way between two messages, so a ring that stops has stopped. */
static void stop_ring(struct ring *ring)
{
	close_fd(&ring->kick); /* a kick that comes late starts nothing */
	ring->kicked = ring->pending = ring->broken = false;
}

static void reset_ring(struct ring *ring)
{
	stop_ring(ring);
	close_fd(&ring->call);
	close_fd(&ring->error);
	*ring = (struct ring){.kick = -1, .call = -1, .error = -1};
}

/* Forget everything that the driver said. The offer, the target and the constants stay. */
static void reset_device(struct device *device)
{
	for (size_t i = 0; i < QUEUES; i++)
		reset_ring(&device->rings[i]);
	device->features = 0;
	device->status = 0;
	device->config.actual = 0;
	device->config.poison_val = 0;
}

/* ---- Messages ---------------------------------------------------------------------------- */

/*
 * A handler for each request. It returns whether it could do what was asked; if it could not, the
 * front end is told so if it wanted to know, and is cut off if it did not. The handler of a
 * question leaves the answer in place of the payload. Descriptors that a handler keeps are taken
 * out of the message; the others are closed.
 */

static int take_fd(struct message *message, size_t index)
{
	int fd = message->fds[index];
	message->fds[index] = -1;
	return fd;
}

static struct ring *ring_at(struct device *device, uint64_t index)
{
	return index < QUEUES ? &device->rings[index] : NULL;
}

static bool get_features(struct device *device, struct message *message)
{
	(void)device;
	message->payload.u64 = OFFERED | BIT(F_PROTOCOL_FEATURES);
	return true;
}

static bool get_protocol_features(struct device *device, struct message *message)
{
	(void)device;
	message->payload.u64 = PROTOCOL_OFFERED;
	return true;
}

static bool get_queue_num(struct device *device, struct message *message)
{
	(void)device;
	message->payload.u64 = QUEUES;
	return true;
}

static bool set_owner(struct device *device, struct message *message)
{
	(void)device, (void)message;
	return true; /* there is nothing to own beyond the connection */
}

/* With STATUS a set that cannot be worked with is taken too: FEATURES_OK is where that shows. */
static bool set_features(struct device *device, struct message *message)
{
	if (speaks(device, P_STATUS) && device->status & S_FEATURES_OK)
		return message->payload.u64 == device->features; /* they are final */
	device->features = message->payload.u64;
	return speaks(device, P_STATUS) || features_acceptable(device->features);
}

static bool set_protocol_features(struct device *device, struct message *message)
{
	device->protocol_features = message->payload.u64 & PROTOCOL_OFFERED;
	return device->protocol_features == message->payload.u64;
}

static bool get_status(struct device *device, struct message *message)
{
	message->payload.u64 = device->status;
	return true;
}

static bool set_status(struct device *device, struct message *message)
{
	uint8_t status = (uint8_t)message->payload.u64;

	if (status == 0) {
		reset_device(device);
		return true;
	}
	/* Only a reset takes a bit away, and only the device asks for one. */
	device->status |= status & (uint8_t)~S_NEEDS_RESET;
	if (!features_acceptable(device->features))
		device->status &= (uint8_t)~S_FEATURES_OK;
	for (size_t i = 0; i < QUEUES; i++)
		device->rings[i].pending = true;
	return true;
}

static bool reset_all(struct device *device, struct message *message)
{
	(void)message;
	reset_device(device);
	return true;
}

/* The bytes of the configuration space, for a driver that reads what lies behind it too. */
static void config_bytes(const struct device *device, uint8_t bytes[CONFIG_MAX])
{
	const uint32_t *fields = (const uint32_t *)&device->config;

	memset(bytes, 0, CONFIG_MAX);
	for (size_t i = 0; i < sizeof(device->config) / 4; i++) {
		uint32_t field = htole32(fields[i]);
		memcpy(bytes + 4 * i, &field, 4);
	}
}

static bool config_asked(const struct message *message)
{
	uint32_t offset = message->payload.config.offset, size = message->payload.config.size;

	return message->header.size >= CONFIG_HEAD && message->header.size == CONFIG_HEAD + size &&
	       size <= CONFIG_MAX && offset <= CONFIG_MAX - size;
}

static bool get_config(struct device *device, struct message *message)
{
	uint8_t bytes[CONFIG_MAX];

	if (!config_asked(message)) {
		message->header.size = 0; /* the protocol's sign of an error */
		return true;
	}
	config_bytes(device, bytes);
	memcpy(message->payload.config.bytes, bytes + message->payload.config.offset,
	       message->payload.config.size);
	return true;
}

/* Only actual and poison_val are the driver's to write; the rest of a write changes nothing. */
static bool set_config(struct device *device, struct message *message)
{
	uint8_t bytes[CONFIG_MAX];
	uint32_t field;

	if (!config_asked(message))
		return false;
	config_bytes(device, bytes);
	memcpy(bytes + message->payload.config.offset, message->payload.config.bytes,
	       message->payload.config.size);
	memcpy(&field, bytes + offsetof(struct config, actual), 4);
	device->config.actual = le32toh(field);
	memcpy(&field, bytes + offsetof(struct config, poison_val), 4);
	device->config.poison_val = le32toh(field);
	return true;
}

static void unmap_memory(struct device *device)
{
	for (size_t i = 0; i < device->region_count; i++) {
		munmap(device->regions[i].map, device->regions[i].map_size);
		close(device->regions[i].fd);
	}
	device->region_count = 0;
}

static bool overlap(struct range a, struct range b)
{
	return a.first <= b.last && b.first <= a.last;
}

/* Map one region, which is not to overlap one before it. Takes the descriptor if it succeeds. */
static bool map_region(struct device *device, const struct memory_region *asked, int fd)
{
	struct region region = {.user = asked->user, .offset = asked->offset, .fd = fd};
	struct stat stat;
	struct statfs fs;
	uint64_t last = asked->size - 1;

	if (asked->size == 0 || last > UINT64_MAX - asked->guest || last > UINT64_MAX - asked->user)
		return false;
	region.guest = range_of(asked->guest, asked->size);
	for (size_t i = 0; i < device->region_count; i++) {
		const struct region *other = &device->regions[i];
		uint64_t size = other->guest.last - other->guest.first + 1;
		if (overlap(region.guest, other->guest) ||
		    overlap(range_of(asked->user, asked->size), range_of(other->user, size)))
			return false;
	}
	/* A file that is cut short under us would end the process. It can be kept from that. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	if (fstat(fd, &stat) < 0 || fstatfs(fd, &fs) < 0 ||
	    asked->offset > (uint64_t)stat.st_size ||
	    asked->size > (uint64_t)stat.st_size - asked->offset)
		return false;
	region.unit = fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize
						   : (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t lead = asked->offset % region.unit;
	region.map_size = asked->size + lead;
	region.map = mmap(NULL, region.map_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_NORESERVE, fd, (off_t)(asked->offset - lead));
	if (region.map == MAP_FAILED)
		return false; /* read-only memory among others: it is no RAM */
	region.at = (uint8_t *)region.map + lead;
	device->regions[device->region_count++] = region;
	return true;
}

static bool set_memory(struct device *device, struct message *message)
{
	uint32_t count = message->payload.memory.count;

	/* Some front ends send a table of a fixed size: what lies behind the regions is padding. */
	if (message->header.size < MEMORY_HEAD || count > REGIONS_MAX ||
	    count != message->fd_count ||
	    message->header.size < MEMORY_HEAD + count * sizeof(struct memory_region))
		return false;
	unmap_memory(device);
	for (uint32_t i = 0; i < count; i++) {
		if (!map_region(device, &message->payload.memory.regions[i], message->fds[i])) {
			unmap_memory(device);
			return false;
		}
		take_fd(message, i);
	}
	return true;
}

static bool set_vring_num(struct device *device, struct message *message)
{
	struct ring *ring = ring_at(device, message->payload.vring.index);
	uint32_t size = message->payload.vring.num;

	if (!ring || size == 0 || size > QUEUE_SIZE_MAX || (size & (size - 1)) != 0)
		return false;
	ring->size = size;
	return true;
}

static bool set_vring_base(struct device *device, struct message *message)
{
	struct ring *ring = ring_at(device, message->payload.vring.index);

	if (!ring || message->payload.vring.num > UINT16_MAX)
		return false;
	ring->next = (uint16_t)message->payload.vring.num;
	return true;
}

/* The answer says that nothing is touched any more, and that is so: nothing is under way. */
static bool get_vring_base(struct device *device, struct message *message)
{
	struct ring *ring = ring_at(device, message->payload.vring.index);

	if (!ring)
		return false;
	stop_ring(ring);
	message->payload.vring.num = ring->next;
	return true;
}

static bool set_vring_enable(struct device *device, struct message *message)
{
	struct ring *ring = ring_at(device, message->payload.vring.index);

	if (!ring || message->payload.vring.num > 1)
		return false;
	ring->enabled = ring->pending = message->payload.vring.num == 1;
	return true;
}

static bool set_vring_addr(struct device *device, struct message *message)
{
	struct ring *ring = ring_at(device, message->payload.address.index);

	if (!ring)
		return false;
	ring->desc_user = message->payload.address.desc;
	ring->avail_user = message->payload.address.avail;
	ring->used_user = message->payload.address.used;
	ring->addressed = true;
	return true;
}

/* The ring that a descriptor is for, and the descriptor, or -1 if the ring is to have none. */
static struct ring *ring_and_fd(struct device *device, struct message *message, int *fd)
{
	uint64_t value = message->payload.u64;
	struct ring *ring = ring_at(device, value & VRING_INDEX_MASK);
	bool none = value & VRING_NO_FD;

	if (!ring || message->fd_count != (none ? 0 : 1))
		return NULL;
	*fd = none ? -1 : take_fd(message, 0);
	if (!none)
		fcntl(*fd, F_SETFL, O_NONBLOCK); /* a full or an empty one is not to hold us */
	return ring;
}

static bool set_vring_kick(struct device *device, struct message *message)
{
	int fd;
	struct ring *ring = ring_and_fd(device, message, &fd);

	if (!ring)
		return false;
	close_fd(&ring->kick);
	ring->kick = fd;
	ring->pending = true;
	return fd >= 0; /* without one we would have to poll */
}

static bool set_vring_call(struct device *device, struct message *message)
{
	int fd;
	struct ring *ring = ring_and_fd(device, message, &fd);

	if (!ring)
		return false;
	close_fd(&ring->call);
	ring->call = fd;
	return true;
}

static bool set_vring_err(struct device *device, struct message *message)
{
	int fd;
	struct ring *ring = ring_and_fd(device, message, &fd);

	if (!ring)
		return false;
	close_fd(&ring->error);
	ring->error = fd;
	return true;
}

static bool set_backend_req_fd(struct device *device, struct message *message)
{
	if (message->fd_count != 1)
		return false;
	close_fd(&device->notices);
	device->notices = take_fd(message, 0);
	return true;
}

static const struct handler {
	bool (*handle)(struct device *device, struct message *message);
	int size;    /* of the payload; ANY: the handler looks */
	int answers; /* with a payload of so many bytes; ANY: of as many as came */
} handlers[] = {
#define ANY (-1)
	[GET_FEATURES] = {get_features, 0, 8},
	[SET_FEATURES] = {set_features, 8, 0},
	[SET_OWNER] = {set_owner, 0, 0},
	[RESET_OWNER] = {set_owner, 0, 0},
	[SET_MEM_TABLE] = {set_memory, ANY, 0},
	[SET_VRING_NUM] = {set_vring_num, 8, 0},
	[SET_VRING_ADDR] = {set_vring_addr, 40, 0},
	[SET_VRING_BASE] = {set_vring_base, 8, 0},
	[GET_VRING_BASE] = {get_vring_base, 8, 8},
	[SET_VRING_KICK] = {set_vring_kick, 8, 0},
	[SET_VRING_CALL] = {set_vring_call, 8, 0},
	[SET_VRING_ERR] = {set_vring_err, 8, 0},
	[GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, 8},
	[SET_PROTOCOL_FEATURES] = {set_protocol_features, 8, 0},
	[GET_QUEUE_NUM] = {get_queue_num, 0, 8},
	[SET_VRING_ENABLE] = {set_vring_enable, 8, 0},
	[SET_BACKEND_REQ_FD] = {set_backend_req_fd, 0, 0},
	[GET_CONFIG] = {get_config, ANY, ANY},
	[SET_CONFIG] = {set_config, ANY, 0},
	[RESET_DEVICE] = {reset_all, 0, 0},
	[SET_STATUS] = {set_status, 8, 0},
	[GET_STATUS] = {get_status, 0, 8},
};

static bool reply(struct device *device, struct message *message, uint32_t size)
{
	message->header.flags = VERSION | FLAG_REPLY;
	message->header.size = size;
	struct iovec parts[2] = {{&message->header, sizeof(message->header)},
				 {&message->payload, size}};
	struct msghdr whole = {.msg_iov = parts, .msg_iovlen = 2};
	return sendmsg(device->connection, &whole, MSG_NOSIGNAL) ==
	       (ssize_t)(sizeof(message->header) + size);
}

/* Do as a message says, and answer it. Returns false if the front end is to be cut off. */
static bool handle(struct device *device, struct message *message)
{
	uint32_t request = message->header.request;
	bool asks = message->header.flags & FLAG_NEED_REPLY;
	const struct handler *handler = &(const struct handler){0};

	if (request < ARRAY_SIZE(handlers))
		handler = &handlers[request];
	bool good = handler->handle &&
		    (handler->size == ANY || message->header.size == (uint32_t)handler->size) &&
		    handler->handle(device, message);
	if (good && handler->answers)
		return reply(device, message,
			     handler->answers == ANY ? message->header.size
						     : (uint32_t)handler->answers);
	/* Looked at now: Linux asks already in the message that sets REPLY_ACK. */
	if (!asks || !speaks(device, P_REPLY_ACK))
		return good;
	message->payload.u64 = good ? 0 : 1;
	return reply(device, message, sizeof(message->payload.u64));
}

/* Receive one message with its descriptors. Returns false if there is none, or none that is one. */
static bool receive(int connection, struct message *message)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(message->fds))];
	} control;
	struct iovec part = {&message->header, sizeof(message->header)};
	struct msghdr whole = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memset(message, 0, sizeof(*message));
	ssize_t got = recvmsg(connection, &whole, MSG_WAITALL | MSG_CMSG_CLOEXEC);
	if (got <= 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&whole); c; c = CMSG_NXTHDR(&whole, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		message->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(message->fds, CMSG_DATA(c), message->fd_count * sizeof(int));
	}
	uint32_t size = message->header.size;
	if (got < (ssize_t)sizeof(message->header) || whole.msg_flags & MSG_CTRUNC ||
	    (message->header.flags & VERSION_MASK) != VERSION || size > sizeof(message->payload))
		return false;
	return size == 0 ||
	       recv(connection, &message->payload, size, MSG_WAITALL) == (ssize_t)size;
}

/* Receive a message and handle it. Returns false if the connection is over. */
static bool serve_message(struct device *device)
{
	struct message message;
	bool good = receive(device->connection, &message) && handle(device, &message);

	for (size_t i = 0; i < message.fd_count; i++)
		close_fd(&message.fds[i]);
	return good;
}

/* ---- The host's side, and the loop ------------------------------------------------------- */

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "hinting_device: %s: too long for a socket's path\n", path);
		exit(2);
	}
	strcpy(address.sun_path, path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 1) < 0) {
		fprintf(stderr, "hinting_device: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static const char *obey_command(struct device *device, const char *line)
{
	char *end;

	if (strcmp(line, "help") == 0)
		return "ok help balloon inhibit\n";
	if (strcmp(line, "inhibit on") == 0 || strcmp(line, "inhibit off") == 0) {
		device->inhibited = line[9] == 'n';
		return "ok\n";
	}
	if (strncmp(line, "balloon ", 8) == 0 && line[8] >= '0' && line[8] <= '9') {
		unsigned long long pages = strtoull(line + 8, &end, 10);
		if (*end == '\0' && pages <= UINT32_MAX) {
			device->config.num_pages = (uint32_t)pages;
			if (device->status & S_DRIVER_OK || !speaks(device, P_STATUS))
				notify_config_change(device);
			return "ok\n";
		}
	}
	return "error: not a command: try help\n";
}

/* What has come of a line of commands. */
struct commands {
	int fd;
	size_t length;
	char line[128];
};

/* Take what has arrived and obey each whole line. Returns false if the other side is gone. */
static bool serve_commands(struct device *device, struct commands *commands)
{
	char *line = commands->line, *end;
	ssize_t got = recv(commands->fd, line + commands->length,
			   sizeof(commands->line) - commands->length, 0);

	if (got <= 0)
		return false;
	commands->length += (size_t)got;
	while ((end = memchr(line, '\n', commands->length))) {
		*end = '\0';
		const char *answer = obey_command(device, line);
		if (send(commands->fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
			return false;
		commands->length -= (size_t)(end + 1 - line);
		memmove(line, end + 1, commands->length);
	}
	return commands->length < sizeof(commands->line);
}

/* The kick descriptor is readable. */
static void take_kick(struct ring *ring)
{
	uint64_t kicks;
	ssize_t got = read(ring->kick, &kicks, sizeof(kicks));

	if (got == sizeof(kicks))
		ring->kicked = ring->pending = true;
	else if (got >= 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&ring->kick); /* no eventfd, or one that will never say anything */
}

/* The front end is gone: nothing that came from it stays. */
static void disconnect(struct device *device)
{
	reset_device(device);
	device->protocol_features = 0;
	unmap_memory(device);
	close_fd(&device->notices);
	close_fd(&device->connection);
}

static void run(struct device *device, int listener, int command_listener)
{
	struct commands commands = {.fd = -1};

	for (;;) {
		bool connected = device->connection >= 0, pending = false;
		struct pollfd polled[4 + QUEUES] = {
			{connected ? -1 : listener, POLLIN, 0},
			{commands.fd < 0 ? command_listener : -1, POLLIN, 0},
			{device->connection, POLLIN, 0},
			{commands.fd, POLLIN, 0},
		};
		for (size_t i = 0; i < QUEUES; i++) {
			polled[4 + i] = (struct pollfd){device->rings[i].kick, POLLIN, 0};
			pending |= device->rings[i].pending && runnable(device, i);
		}
		if (poll(polled, ARRAY_SIZE(polled), pending ? 0 : -1) < 0)
			continue;

		if (polled[0].revents)
			device->connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (polled[1].revents) {
			commands.fd = accept4(command_listener, NULL, NULL, SOCK_CLOEXEC);
			commands.length = 0;
		}
		if (polled[3].revents && !serve_commands(device, &commands))
			close_fd(&commands.fd);
		/* Kicks before messages, which can put other descriptors in their places. */
		for (size_t i = 0; i < QUEUES; i++) {
			if (polled[4 + i].revents)
				take_kick(&device->rings[i]);
		}
		if (polled[2].revents && !serve_message(device))
			disconnect(device);
		for (size_t i = 0; i < QUEUES; i++) {
			if (device->rings[i].pending && runnable(device, i))
				serve_ring(device, i);
		}
	}
}

int main(int argc, char **argv)
{
	static struct device device = {
		.config = {.hint_max_count = HINT_MAX_COUNT},
		.connection = -1,
		.notices = -1,
	};

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: %s SOCKET [COMMANDS]\n", argv[0]);
		return 2;
	}
	/* A block is never less than a host page: 4 KiB is order 0, 64 KiB order 4. */
	while (BIT(PFN_SHIFT + device.config.hint_min_order) < (uint64_t)sysconf(_SC_PAGESIZE))
		device.config.hint_min_order++;
	for (size_t i = 0; i < QUEUES; i++)
		device.rings[i] = (struct ring){.kick = -1, .call = -1, .error = -1};
	signal(SIGPIPE, SIG_IGN);
	run(&device, listen_at(argv[1]), argc == 3 ? listen_at(argv[2]) : -1);
}
