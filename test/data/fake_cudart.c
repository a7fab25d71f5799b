/* libcudart on the CPU: enough of its functions to run the ctypes binding for real, one device, copies at once. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int last, fail_with, devices = 1, capturing;
#define RETURN do { int code = fail_with; fail_with = 0; if (code) last = code; return code; } while (0)

void fake_fail(int code) { fail_with = code; }
void fake_devices(int n) { devices = n; }
int cudaGetLastError(void) { int code = last; last = 0; return code; }
const char *cudaGetErrorString(int code) { return code == 2 ? "out of memory" : code ? "some error" : "no error"; }
int cudaGetDeviceCount(int *n) { *n = devices; return devices ? 0 : 100; }
int cudaSetDevice(int d) { (void)d; RETURN; }
int cudaDriverGetVersion(int *v) { *v = 12060; RETURN; }
int cudaDeviceGetAttribute(int *v, int a, int d) { (void)d; *v = a == 75 ? 8 : a == 76 ? 7 : a == 18; RETURN; }
int cudaGetDeviceProperties(void *p, int d) { (void)d; strcpy(p, "Fake Orin"); RETURN; }
int cudaStreamCreateWithPriority(void **s, unsigned f, int p) { (void)f; (void)p; *s = malloc(1); RETURN; }
int cudaStreamDestroy(void *s) { free(s); RETURN; }
int cudaStreamSynchronize(void *s) { (void)s; RETURN; }
int cudaMalloc(void **p, size_t n) { if (fail_with) RETURN; *p = malloc(n); RETURN; }
int cudaFree(void *p) { free(p); RETURN; }
int cudaHostAlloc(void **p, size_t n, unsigned f) { *p = f == 2 ? malloc(n) : NULL; RETURN; }
int cudaFreeHost(void *p) { free(p); RETURN; }
int cudaHostGetDevicePointer(void **d, void *h, unsigned f) { (void)f; *d = h; RETURN; }
int cudaMemcpyAsync(void *to, const void *from, size_t n, int kind, void *s) {
    (void)kind; (void)s;
    if (!capturing) memcpy(to, from, n);
    RETURN;
}
int cudaStreamBeginCapture(void *s, int mode) { (void)s; capturing = mode == 1; RETURN; }
int cudaStreamEndCapture(void *s, void **g) { (void)s; capturing = 0; *g = malloc(1); RETURN; }
int cudaGraphInstantiateWithFlags(void **e, void *g, unsigned long long f) { (void)g; (void)f; *e = malloc(1); RETURN; }
int cudaGraphLaunch(void *e, void *s) { (void)e; (void)s; RETURN; }
int cudaGraphDestroy(void *g) { free(g); RETURN; }
int cudaGraphExecDestroy(void *e) { free(e); RETURN; }
int cudaEventCreate(void **e) { *e = malloc(1); RETURN; }
int cudaEventRecord(void *e, void *s) { (void)e; (void)s; RETURN; }
int cudaEventSynchronize(void *e) { (void)e; RETURN; }
int cudaEventElapsedTime(float *ms, void *a, void *b) { (void)a; (void)b; *ms = 1.5f; RETURN; }
int cudaEventDestroy(void *e) { free(e); RETURN; }
int cudaMemGetInfo(size_t *f, size_t *t) { *f = 1000; *t = 2000; RETURN; }
