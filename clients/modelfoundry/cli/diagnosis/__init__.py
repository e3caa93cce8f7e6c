"""What `modelfoundry doctor` looks at."""
