// Command predict finds the newest module that knows a label and asks it about an image:
//
//	go run ./examples/predict LABEL IMAGE
//
// MODELFOUNDRY_REGISTRY and MODELFOUNDRY_REUSER name the services, host:port.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	registryv1 "modelfoundry.dev/client/gen/modelfoundry/api/registry/v1"
	reuserv1 "modelfoundry.dev/client/gen/modelfoundry/api/reuser/v1"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: predict LABEL IMAGE")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := predict(ctx, os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}

func predict(ctx context.Context, label, image string) (string, error) {
	encoded, err := os.ReadFile(image)
	if err != nil {
		return "", err
	}
	registryConn, err := dial("MODELFOUNDRY_REGISTRY", "127.0.0.1:50054")
	if err != nil {
		return "", err
	}
	defer registryConn.Close()
	reuserConn, err := dial("MODELFOUNDRY_REUSER", "127.0.0.1:50053")
	if err != nil {
		return "", err
	}
	defer reuserConn.Close()

	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(label)
	found, err := registryv1.NewRegistryServiceClient(registryConn).ListModules(ctx, &registryv1.ListModulesRequest{
		Parent: "projects/default", Filter: `labels:"` + quoted + `"`, PageSize: 1,
	})
	if err != nil {
		return "", err
	}
	if len(found.GetModules()) == 0 {
		return "", fmt.Errorf("no module knows %s", label)
	}
	module := found.GetModules()[0].GetName()
	answer, err := reuserv1.NewReuserServiceClient(reuserConn).Predict(ctx, &reuserv1.PredictRequest{
		Subject: module,
		Images:  []*reuserv1.ImageInput{{Content: &reuserv1.ImageInput_Encoded{Encoded: encoded}}},
		TopK:    1,
	})
	if err != nil {
		return "", err
	}
	best := answer.GetPredictions()[0].GetLabels()[0]
	return fmt.Sprintf("%s says %s: %.1f %%", module, best.GetLabel(), best.GetProbability()*100), nil
}

func dial(variable, fallback string) (*grpc.ClientConn, error) {
	address := os.Getenv(variable)
	if address == "" {
		address = fallback
	}
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}
