"""One service of the plan: from stack file and Dockerfile to command, environment and folders."""
