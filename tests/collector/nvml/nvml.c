/* libnvidia-ml.so.1 of machines that are not here, for tests: the NVML and GPM functions that sizewise calls, with the
 * layouts of nvml.h 13 (nvidia-ml-py 13.615), answering from a table of texts.
 *
 * A key names an object and one fact of it; a number may be `+N`, a counter that grows by N a second:
 *   clock_ms               time on the library's clock; without it the kernel's
 *   gpus                   how many GPUs; every function may fail with error.FUNCTION (any GPU) ...
 *   gpu.0.error.FUNCTION   ... or of one GPU, or of one MIG device (mig.0.1.error.FUNCTION), by NVML's number
 *   gpu.0.uuid, .name, .power_mw, .field.83, .gpm.2, .gpm.2.error, .processes = "pid:bytes[:gi:ci] ..."
 *   mig.0.1.uuid, .gi, .ci   MIG device 1 of GPU 0;   gi.0.3.start, .gpm.2   its GPU instance 3
 * The file named by NVML_TEST_FACTS is read by nvmlInit, one `key value` a line; test_set changes a fact later.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUCCESS 0
#define UNINITIALIZED 1
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define INSUFFICIENT_SIZE 7
#define DRIVER_NOT_LOADED 9
#define TIMEOUT 10

#define SLOTS 8192
#define MAX_GPUS 16
#define MAX_MIGS 8
#define TEXT 256

/* the table */

static struct { char key[96]; char value[TEXT]; } facts[SLOTS];
static int opened, samples_held;

static unsigned slot_of(const char *key) {
  unsigned hash = 2166136261u;
  for (const char *c = key; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
  unsigned slot = hash % SLOTS;
  while (facts[slot].key[0] && strcmp(facts[slot].key, key)) slot = (slot + 1) % SLOTS;
  return slot;
}

void test_set(const char *key, const char *value) {
  unsigned slot = slot_of(key);
  snprintf(facts[slot].key, sizeof facts[slot].key, "%s", key);
  snprintf(facts[slot].value, sizeof facts[slot].value, "%s", value);
}

void test_clear(void) { memset(facts, 0, sizeof facts); opened = 0; samples_held = 0; }
int test_samples_held(void) { return samples_held; }

/* An empty text is a fact that was taken away. */
static const char *text(const char *format, ...) {
  char key[96];
  va_list rest;
  va_start(rest, format);
  vsnprintf(key, sizeof key, format, rest);
  va_end(rest);
  unsigned slot = slot_of(key);
  return facts[slot].key[0] && facts[slot].value[0] ? facts[slot].value : NULL;
}

static double clock_ms(void) {
  const char *set = text("clock_ms");
  struct timespec now;
  if (set) return atof(set);
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static double number(const char *said) {
  return said[0] == '+' ? atof(said + 1) * clock_ms() / 1e3 : atof(said);
}

/* handles: a MIG device's holds the UUID it was made with, so that one of an earlier layout is known as stale */

typedef struct { int gpu, mig; char uuid[96]; } Device;
typedef struct { int gpu, instance; } Instance;
typedef struct { int gpu, instance; double ms; } Sample;
static Device whole[MAX_GPUS], part[MAX_GPUS][MAX_MIGS][4];
static Instance instances[MAX_GPUS][16];

static int error_of(const Device *device, const char *function) {
  const char *said;
  if (!opened) return UNINITIALIZED;
  if ((said = text("error.%s", function))) return atoi(said);
  if (!device) return SUCCESS;
  if (device->mig >= 0) {
    const char *uuid = text("mig.%d.%d.uuid", device->gpu, device->mig);
    if (!uuid || strcmp(uuid, device->uuid)) return INVALID_ARGUMENT;
    if ((said = text("mig.%d.%d.error.%s", device->gpu, device->mig, function))) return atoi(said);
  }
  if ((said = text("gpu.%d.error.*", device->gpu))) return atoi(said);
  if ((said = text("gpu.%d.error.%s", device->gpu, function))) return atoi(said);
  return SUCCESS;
}

static const char *fact(const Device *device, const char *name) {
  return device->mig < 0 ? text("gpu.%d.%s", device->gpu, name) : text("mig.%d.%d.%s", device->gpu, device->mig, name);
}

#define BEGIN(device) do { int failed = error_of(device, __func__); if (failed) return failed; } while (0)

static int tell(const Device *device, const char *name, unsigned *out) {
  const char *said = fact(device, name);
  if (!said) return NOT_SUPPORTED;
  *out = (unsigned)number(said);
  return SUCCESS;
}

static int tell_text(const Device *device, const char *name, char *out, unsigned size) {
  const char *said = fact(device, name);
  if (!said) return NOT_SUPPORTED;
  if (strlen(said) >= size) return INSUFFICIENT_SIZE;
  strcpy(out, said);
  return SUCCESS;
}

/* library */

int nvmlInitWithFlags(unsigned flags) {
  char line[512], *value;
  const char *file = getenv("NVML_TEST_FACTS");
  (void)flags;
  if (file && !text("gpus")) {
    FILE *in = fopen(file, "r");
    if (!in) return DRIVER_NOT_LOADED;
    while (fgets(line, sizeof line, in))
      if ((value = strchr(line, ' '))) {
        *value++ = 0;
        value[strcspn(value, "\n")] = 0;
        test_set(line, value);
      }
    fclose(in);
  }
  if (!text("gpus")) return DRIVER_NOT_LOADED;
  const char *failed = text("error.%s", __func__);
  if (failed) return atoi(failed);
  opened++;
  return SUCCESS;
}

int nvmlShutdown(void) {
  const char *failed = text("error.%s", __func__);
  if (failed) return atoi(failed);
  if (!opened) return UNINITIALIZED;
  opened--;
  return SUCCESS;
}
const char *nvmlErrorString(int code) { (void)code; return "an error of the test library"; }

int nvmlDeviceGetCount_v2(unsigned *count) { BEGIN(NULL); *count = atoi(text("gpus")); return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **out) {
  if (index >= MAX_GPUS) return INVALID_ARGUMENT;
  whole[index].gpu = index; whole[index].mig = -1;
  BEGIN(&whole[index]);
  *out = &whole[index];
  return SUCCESS;
}

/* facts */

int nvmlDeviceGetUUID(Device *d, char *out, unsigned size) { BEGIN(d); return tell_text(d, "uuid", out, size); }
int nvmlDeviceGetName(Device *d, char *out, unsigned size) { BEGIN(d); return tell_text(d, "name", out, size); }
int nvmlDeviceGetMinorNumber(Device *d, unsigned *out) { BEGIN(d); return tell(d, "minor", out); }

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
int nvmlDeviceGetPciInfo_v3(Device *d, Pci *out) {
  BEGIN(d);
  memset(out, 0, sizeof *out);
  out->id = strtoul(fact(d, "pci_id"), NULL, 16);
  return tell_text(d, "pci_bus", out->bus_id, sizeof out->bus_id);
}

typedef struct { unsigned long long total, free, used; } Memory;
int nvmlDeviceGetMemoryInfo(Device *d, Memory *out) {
  BEGIN(d);
  out->total = number(fact(d, "memory_total")), out->used = number(fact(d, "memory_used")) + (300 << 20);
  out->free = out->total - out->used;
  return SUCCESS;
}

typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
int nvmlDeviceGetMemoryInfo_v2(Device *d, Memory2 *out) {
  BEGIN(d);
  if (out->version != 0x02000028) return 25;
  out->total = number(fact(d, "memory_total")), out->used = number(fact(d, "memory_used")), out->reserved = 300 << 20;
  out->free = out->total - out->used - out->reserved;
  return SUCCESS;
}

/* levels */

typedef struct { unsigned gpu, memory; } Utilization;
int nvmlDeviceGetUtilizationRates(Device *d, Utilization *out) {
  BEGIN(d);
  int failed = tell(d, "util_gpu", &out->gpu);
  return failed ? failed : tell(d, "util_memory", &out->memory);
}
int nvmlDeviceGetPowerUsage(Device *d, unsigned *out) { BEGIN(d); return tell(d, "power_mw", out); }
int nvmlDeviceGetEnforcedPowerLimit(Device *d, unsigned *out) { BEGIN(d); return tell(d, "power_limit_mw", out); }
int nvmlDeviceGetClockInfo(Device *d, unsigned kind, unsigned *out) {
  BEGIN(d);
  return kind == 1 ? tell(d, "sm_mhz", out) : kind == 2 ? tell(d, "memory_mhz", out) : INVALID_ARGUMENT;
}
int nvmlDeviceGetPcieThroughput(Device *d, unsigned counter, unsigned *out) {
  BEGIN(d);
  return tell(d, counter == 0 ? "pcie_tx_kib" : "pcie_rx_kib", out);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(Device *d, unsigned long long *out) {
  BEGIN(d);
  const char *said = fact(d, "reasons");
  if (!said) return NOT_SUPPORTED;
  *out = strtoull(said, NULL, 0);
  return SUCCESS;
}

typedef struct {
  unsigned field, scope; long long timestamp, latency; unsigned type; int result;
  union { double d; unsigned u; unsigned long ul; unsigned long long ull; } value;
} Field;
int nvmlDeviceGetFieldValues(Device *d, int count, Field *fields) {
  BEGIN(d);
  for (int i = 0; i < count; i++) {
    char name[32];
    snprintf(name, sizeof name, "field.%u", fields[i].field);
    const char *said = fact(d, name), *type = text("gpu.%d.%s.type", d->gpu, name); /* NVML_VALUE_TYPE_* */
    fields[i].result = said ? SUCCESS : NOT_SUPPORTED;
    fields[i].type = type ? atoi(type) : 3;
    fields[i].value.ull = said ? (unsigned long long)number(said) : 0;
    if ((fields[i].field == 138 || fields[i].field == 139) && fields[i].scope != 0xFFFFFFFF) fields[i].result = INVALID_ARGUMENT;
  }
  return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(Device *d, unsigned kind, unsigned counter, unsigned long long *out) {
  BEGIN(d);
  const char *said = fact(d, kind == 0 ? "ecc_corrected" : "ecc_uncorrected");
  if (!said || counter != 0) return NOT_SUPPORTED;
  *out = number(said);
  return SUCCESS;
}

/* processes */

typedef struct { unsigned pid; unsigned long long bytes; unsigned gi, ci; } Process;
static int processes(Device *d, const char *name, unsigned *count, Process *out) {
  const char *said = fact(d, name);
  unsigned found = 0, room = *count;
  char copy[TEXT], *rest = copy, *word;
  snprintf(copy, sizeof copy, "%s", said ? said : "");
  while ((word = strsep(&rest, " ")))
    if (*word) {
      Process one = {0, ~0ull, ~0u, ~0u};
      sscanf(word, "%u:%llu:%u:%u", &one.pid, &one.bytes, &one.gi, &one.ci);
      if (out && found < room) out[found] = one;
      found++;
    }
  *count = found;
  return found > room || (found && !out) ? INSUFFICIENT_SIZE : SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Device *d, unsigned *n, Process *out) { BEGIN(d); return processes(d, "processes", n, out); }
int nvmlDeviceGetComputeRunningProcesses_v2(Device *d, unsigned *n, Process *out) { BEGIN(d); return processes(d, "processes", n, out); }
int nvmlDeviceGetMPSComputeRunningProcesses_v3(Device *d, unsigned *n, Process *out) { BEGIN(d); return processes(d, "mps", n, out); }
int nvmlDeviceGetMPSComputeRunningProcesses_v2(Device *d, unsigned *n, Process *out) { BEGIN(d); return processes(d, "mps", n, out); }

typedef struct { unsigned pid; unsigned long long time; unsigned sm, memory, encoder, decoder; } Busy;
int nvmlDeviceGetProcessUtilization(Device *d, Busy *out, unsigned *count, unsigned long long since_us) {
  BEGIN(d);
  const char *said = fact(d, "busy"); /* "pid:percent ..." */
  unsigned found = 0;
  char copy[TEXT], *rest = copy, *word;
  (void)since_us;
  if (!said) return NOT_FOUND;
  snprintf(copy, sizeof copy, "%s", said);
  while ((word = strsep(&rest, " "))) {
    Busy one = {0};
    if (sscanf(word, "%u:%u", &one.pid, &one.sm) != 2) continue;
    if (out) out[found] = one;
    found++;
  }
  *count = found;
  return out ? SUCCESS : INSUFFICIENT_SIZE;
}

/* MIG */

int nvmlDeviceGetMigMode(Device *d, unsigned *current, unsigned *pending) {
  BEGIN(d);
  *pending = 0;
  int failed = tell(d, "mig_mode", current);
  *pending = *current;
  return failed;
}
int nvmlDeviceGetMaxMigDeviceCount(Device *d, unsigned *out) { BEGIN(d); *out = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(Device *d, unsigned index, Device **out) {
  BEGIN(d);
  const char *uuid = text("mig.%d.%u.uuid", d->gpu, index);
  if (!uuid) return NOT_FOUND;
  for (int i = 0; i < 4; i++) {
    Device *found = &part[d->gpu][index][i];
    if (found->uuid[0] && strcmp(found->uuid, uuid)) continue;
    found->gpu = d->gpu, found->mig = index;
    snprintf(found->uuid, sizeof found->uuid, "%s", uuid);
    *out = found;
    return SUCCESS;
  }
  return 999;
}
int nvmlDeviceGetGpuInstanceId(Device *d, unsigned *out) { BEGIN(d); return tell(d, "gi", out); }
int nvmlDeviceGetComputeInstanceId(Device *d, unsigned *out) { BEGIN(d); return tell(d, "ci", out); }
int nvmlDeviceGetGpuInstanceById(Device *d, unsigned id, Instance **out) {
  BEGIN(d);
  if (!text("gi.%d.%u.start", d->gpu, id)) return NOT_FOUND;
  instances[d->gpu][id].gpu = d->gpu, instances[d->gpu][id].instance = id;
  *out = &instances[d->gpu][id];
  return SUCCESS;
}
typedef struct { Device *device; unsigned id, profile, start, size; } InstanceInfo;
int nvmlGpuInstanceGetInfo(Instance *instance, InstanceInfo *out) {
  BEGIN(&whole[instance->gpu]);
  out->device = &whole[instance->gpu], out->id = instance->instance, out->profile = 0, out->size = 1;
  out->start = atoi(text("gi.%d.%d.start", instance->gpu, instance->instance));
  return SUCCESS;
}

typedef struct {
  unsigned version, id, p2p, slices, instances, sms, copies, decoders, encoders, jpegs, ofas;
  unsigned long long mib; char name[96];
} Profile;
/* profile.0 = "id slices instances sms mib name", placements.ID = "start:size ..." */
int nvmlDeviceGetGpuInstanceProfileInfoV(Device *d, unsigned kind, Profile *out) {
  BEGIN(d);
  const char *said = text("gpu.%d.profile.%u", d->gpu, kind);
  if (!said) return NOT_SUPPORTED;
  sscanf(said, "%u %u %u %u %llu %95[^\n]", &out->id, &out->slices, &out->instances, &out->sms, &out->mib, out->name);
  return SUCCESS;
}
typedef struct { unsigned start, size; } Placement;
int nvmlDeviceGetGpuInstancePossiblePlacements_v2(Device *d, unsigned id, Placement *out, unsigned *count) {
  BEGIN(d);
  char copy[TEXT], *rest = copy, *word;
  const char *said = text("gpu.%d.placements.%u", d->gpu, id);
  snprintf(copy, sizeof copy, "%s", said ? said : "");
  *count = 0;
  while ((word = strsep(&rest, " ")))
    if (sscanf(word, "%u:%u", &out[*count].start, &out[*count].size) == 2) (*count)++;
  return SUCCESS;
}

/* topology */

int nvmlDeviceGetP2PStatus(Device *a, Device *b, unsigned index, unsigned *out) {
  BEGIN(a);
  *out = index == 2 && text("nvlink.%d.%d", a->gpu, b->gpu) ? 0 : 6;
  return SUCCESS;
}
int nvmlDeviceGetTopologyCommonAncestor(Device *a, Device *b, unsigned *out) {
  BEGIN(a);
  const char *said = text("level.%d.%d", a->gpu, b->gpu);
  *out = said ? atoi(said) : 50;
  return SUCCESS;
}

/* events: `xid` = "gpu number gi", told once */

typedef struct { Device *device; unsigned long long type, data; unsigned gi, ci; } Event;
int nvmlEventSetCreate(void **set) { BEGIN(NULL); *set = malloc(1); return SUCCESS; }
int nvmlEventSetFree(void *set) { BEGIN(NULL); free(set); return SUCCESS; }
int nvmlDeviceRegisterEvents(Device *d, unsigned long long kinds, void *set) { BEGIN(d); (void)set; return kinds == 8 ? SUCCESS : INVALID_ARGUMENT; }
int nvmlEventSetWait_v2(void *set, Event *out, unsigned timeout_ms) {
  BEGIN(NULL);
  const char *said = text("xid");
  unsigned gpu;
  (void)set, (void)timeout_ms;
  if (!said) return TIMEOUT;
  memset(out, 0, sizeof *out);
  out->gi = out->ci = ~0u, out->type = 8;
  sscanf(said, "%u %llu %u", &gpu, &out->data, &out->gi);
  out->device = &whole[gpu];
  test_set("xid", "");
  return SUCCESS;
}

/* GPM: 1 in `gpm` means supported */

typedef struct { unsigned version, supported; } GpmSupport;
int nvmlGpmQueryDeviceSupport(Device *d, GpmSupport *out) {
  BEGIN(d);
  if (out->version != 1) return INVALID_ARGUMENT;
  out->supported = fact(d, "gpm") != NULL;
  return SUCCESS;
}
int nvmlGpmSampleAlloc(Sample **out) { BEGIN(NULL); *out = calloc(1, sizeof **out); samples_held++; return SUCCESS; }
int nvmlGpmSampleFree(Sample *sample) { free(sample); samples_held--; return SUCCESS; }
static int take(Device *d, int instance, Sample *out) {
  out->gpu = d->gpu, out->instance = instance, out->ms = clock_ms();
  return fact(d, "gpm") ? SUCCESS : NOT_SUPPORTED;
}
int nvmlGpmSampleGet(Device *d, Sample *out) { BEGIN(d); return take(d, -1, out); }
int nvmlGpmMigSampleGet(Device *d, unsigned instance, Sample *out) {
  BEGIN(d);
  return text("gi.%d.%u.start", d->gpu, instance) ? take(d, instance, out) : INVALID_ARGUMENT;
}

typedef struct { unsigned id; int result; double value; const char *names[3]; } Metric;
typedef struct { unsigned version, count; Sample *older, *newer; Metric metrics[477]; } MetricsGet;
int nvmlGpmMetricsGet(MetricsGet *get) {
  BEGIN(&whole[get->older->gpu]);
  Sample *a = get->older, *b = get->newer;
  if (get->version != 1 || a->gpu != b->gpu || a->instance != b->instance || b->ms - a->ms <= 100) return INVALID_ARGUMENT;
  for (unsigned i = 0; i < get->count; i++) {
    Metric *m = &get->metrics[i];
    char key[48];
    if (a->instance < 0) snprintf(key, sizeof key, "gpu.%d.gpm.%u", a->gpu, m->id);
    else snprintf(key, sizeof key, "gi.%d.%d.gpm.%u", a->gpu, a->instance, m->id);
    const char *said = text("%s", key), *failed = text("%s.error", key);
    m->result = failed ? atoi(failed) : said ? SUCCESS : NOT_SUPPORTED;
    m->value = said ? number(said) : 0;
  }
  return SUCCESS;
}
