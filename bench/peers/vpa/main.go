// Command vpa-peer measures the Kubernetes VPA recommender's own model and logic packages on one core: usage samples
// absorbed and recommendations formed per second of processor time. It prints one JSON object.
//
// What surrounds them in a cluster (API calls, metrics queries, checkpoints) is left out: the peer's best case.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand"
	"os"
	"runtime"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	vpa_types "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"
)

const (
	// Two hours between the samples of a container: 100 steps fill eight days, VPA's whole memory window.
	step = 2 * time.Hour
	// Objects that share a namespace; VPA looks for the aggregates of an object within its namespace.
	perNamespace  = 100
	containerName = "app"
)

type figures struct {
	Containers int `json:"containers"`
	// ClusterState.AddSample, CPU and memory alternating, every container in turn as a scrape does.
	SamplesPerS float64 `json:"samples_per_s"`
	// Estimators and API object, from an aggregate at hand.
	RecommendationsPerS float64 `json:"recommendations_per_s"`
	// The same as the recommender's loop does it each minute: first merge the aggregates of the object.
	LoopRecommendationsPerS float64 `json:"loop_recommendations_per_s"`
	// The loop, and the status as JSON: what leaves for the API server.
	EncodedRecommendationsPerS float64 `json:"encoded_recommendations_per_s"`
}

type workload struct {
	id    model.ContainerID
	cores float64
	bytes float64
}

func main() {
	containers := flag.Int("containers", 10000, "containers, one VPA object each")
	steps := flag.Int("steps", 100, "samples of each resource per container")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	cluster := model.NewClusterState(time.Hour)
	fleet := newFleet(cluster, *containers)
	out := figures{Containers: *containers, SamplesPerS: absorb(cluster, fleet, *steps)}
	recommend(cluster, &out)
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fail(err)
	}
}

// newFleet makes one pod, container and VPA object per workload, with log-normal sizes.
func newFleet(cluster model.ClusterState, n int) []workload {
	random := rand.New(rand.NewSource(1))
	fleet := make([]workload, n)
	for i := range fleet {
		pod := model.PodID{Namespace: fmt.Sprintf("ns-%d", i/perNamespace), PodName: fmt.Sprintf("pod-%d", i)}
		app := labels.Set{"app": pod.PodName}
		fleet[i] = workload{
			id:    model.ContainerID{PodID: pod, ContainerName: containerName},
			cores: math.Exp(random.NormFloat64()*1.5 - 1),
			bytes: math.Exp(random.NormFloat64()*1.5) * 1e9,
		}
		object := &vpa_types.VerticalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.PodName}}
		if err := cluster.AddOrUpdateVpa(object, labels.SelectorFromSet(app)); err != nil {
			fail(err)
		}
		cluster.AddOrUpdatePod(pod, app, corev1.PodRunning)
		if err := cluster.AddOrUpdateContainer(fleet[i].id, nil); err != nil {
			fail(err)
		}
	}
	return fleet
}

// absorb returns samples per second. The random factors are drawn before the clock starts.
func absorb(cluster model.ClusterState, fleet []workload, steps int) float64 {
	random := rand.New(rand.NewSource(2))
	factors := make([]float64, 1<<16)
	for i := range factors {
		factors[i] = math.Exp(random.NormFloat64() * 0.5)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	began, next := cpuSeconds(), 0
	for range steps {
		for i := range fleet {
			factor := factors[next&(len(factors)-1)]
			next++
			add(cluster, fleet[i].id, model.ResourceCPU, model.CPUAmountFromCores(fleet[i].cores*factor), at)
			add(cluster, fleet[i].id, model.ResourceMemory, model.MemoryAmountFromBytes(fleet[i].bytes*factor), at)
		}
		at = at.Add(step)
	}
	return float64(2*steps*len(fleet)) / (cpuSeconds() - began)
}

func add(c model.ClusterState, id model.ContainerID, r model.ResourceName, usage model.ResourceAmount, at time.Time) {
	sample := model.ContainerUsageSample{MeasureStart: at, Usage: usage, Resource: r}
	if err := c.AddSample(&model.ContainerUsageSampleWithKey{ContainerUsageSample: sample, Container: id}); err != nil {
		fail(err)
	}
}

func recommend(cluster model.ClusterState, out *figures) {
	recommender := logic.CreatePodResourceRecommender(defaults())
	aggregates := make([]model.ContainerNameToAggregateStateMap, 0, len(cluster.VPAs()))
	objects := make([]*model.Vpa, 0, len(cluster.VPAs()))
	for _, object := range cluster.VPAs() {
		objects = append(objects, object)
		aggregates = append(aggregates, object.AggregateStateByContainerName())
	}
	out.RecommendationsPerS = bestPerS(len(objects), func(i int) { form(recommender, aggregates[i]) })
	out.LoopRecommendationsPerS = bestPerS(len(objects), func(i int) {
		form(recommender, objects[i].AggregateStateByContainerName())
	})
	out.EncodedRecommendationsPerS = bestPerS(len(objects), func(i int) {
		if _, err := json.Marshal(form(recommender, objects[i].AggregateStateByContainerName())); err != nil {
			fail(err)
		}
	})
}

// form makes the API object of one VPA. A missing or zero target would make the figures worthless: it ends the program.
func form(r logic.PodResourceRecommender, aggregates model.ContainerNameToAggregateStateMap) *vpa_types.RecommendedPodResources {
	list := logic.MapToListOfRecommendedContainerResources(
		r.GetRecommendedPodResources(aggregates), logic.RecommendationFormat{RoundCPUMillicores: 1, RoundMemoryBytes: 1})
	if len(list.ContainerRecommendations) != 1 || list.ContainerRecommendations[0].Target.Cpu().IsZero() {
		fail(fmt.Errorf("no recommendation for a filled histogram: %v", list))
	}
	return list
}

// bestPerS is the best of three passes over n items, in items per second.
func bestPerS(n int, do func(i int)) (best float64) {
	for range 3 {
		began := cpuSeconds()
		for i := range n {
			do(i)
		}
		best = max(best, float64(n)/(cpuSeconds()-began))
	}
	return best
}

// cpuSeconds is the processor time of this process, garbage collection included: what other processes do meanwhile does
// not count.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// defaults are the recommender's flags as it ships (pkg/recommender/config).
func defaults() logic.RecommendationConfig {
	return logic.RecommendationConfig{
		SafetyMarginFraction:       0.15,
		PodMinCPUMillicores:        25,
		PodMinMemoryMb:             250,
		TargetCPUPercentile:        0.9,
		LowerBoundCPUPercentile:    0.5,
		UpperBoundCPUPercentile:    0.95,
		ConfidenceIntervalCPU:      24 * time.Hour,
		TargetMemoryPercentile:     0.9,
		LowerBoundMemoryPercentile: 0.5,
		UpperBoundMemoryPercentile: 0.95,
		ConfidenceIntervalMemory:   24 * time.Hour,
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
