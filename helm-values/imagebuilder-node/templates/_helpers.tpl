{{- /* All helpers take the root context. */}}

{{- define "imagebuilder.fullname" -}}
{{ .Values.fullnameOverride | default .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "imagebuilder.selectorLabels" -}}
app.kubernetes.io/name: imagebuilder
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "imagebuilder.engineLabels" -}}
{{ include "imagebuilder.selectorLabels" . }}
app.kubernetes.io/component: docker-api
{{- end }}

{{- define "imagebuilder.labels" -}}
{{ include "imagebuilder.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "imagebuilder.socketDir" -}}
{{ .Values.dockerApi.socketDir | default (printf "/var/run/%s-%s/docker-api" .Release.Namespace .Release.Name) | trimSuffix "/" }}
{{- end }}

{{- define "imagebuilder.socket" -}}
{{- $socket := printf "%s/docker-api.sock" (include "imagebuilder.socketDir" .) -}}
{{- if gt (len $socket) 107 -}}
{{- /* sun_path holds 108 bytes; dockerd's own message about it is "invalid argument" */ -}}
{{- fail (printf "The socket's path has %d characters, Linux allows 107: set dockerApi.socketDir to a shorter directory." (len $socket)) -}}
{{- end -}}
{{ $socket }}
{{- end }}

{{- define "imagebuilder.dataRoot" -}}
{{ printf "/var/lib/%s-%s/docker-api" .Release.Namespace .Release.Name }}
{{- end }}

{{- define "imagebuilder.engineImage" -}}
{{- $image := .Values.dockerApi.image -}}
{{- if kindIs "string" $image -}}{{ $image }}{{- else -}}{{ $image.repository }}:{{ $image.tag }}{{- end -}}
{{- end }}

{{- define "imagebuilder.probe" -}}
{{- $command := .root.Values.dockerApi.probeCommand | default (list "docker" "-H" (printf "unix://%s" (include "imagebuilder.socket" .root)) "version") -}}
{{- $handlers := pick .probe "exec" "httpGet" "tcpSocket" "grpc" -}}
{{- $handler := ternary (dict "exec" (dict "command" $command)) (dict) (empty $handlers) -}}
{{ merge (dict) .probe $handler | toYaml }}
{{- end }}

{{- /* "true" where a file of the admin's own takes daemon.json's place. */}}
{{- define "imagebuilder.ownDaemonConfig" -}}
{{- range .Values.dockerApi.extraFiles }}{{ if eq .mountPath "/etc/docker/daemon.json" }}true{{ end }}{{ end -}}
{{- end }}

{{- define "imagebuilder.createsSecret" -}}
{{- with .Values.registry -}}
{{- $given := compact (list .server .username .password) -}}
{{- if and $given .existingSecret -}}
{{- fail "registry.existingSecret names a Secret that exists already: leave registry.server, username and password empty, or it empty." -}}
{{- end -}}
{{- if and $given (lt (len $given) 3) -}}
{{- fail "registry.server, registry.username and registry.password belong together: set all three, or none." -}}
{{- end -}}
{{- if $given }}true{{ end -}}
{{- end -}}
{{- end }}

{{- /* Name of the Secret with the registry's credential; empty where there is none. */}}
{{- define "imagebuilder.pushSecret" -}}
{{- if include "imagebuilder.createsSecret" . -}}
{{ include "imagebuilder.fullname" . }}-registry
{{- else -}}
{{ .Values.registry.existingSecret }}
{{- end -}}
{{- end }}

{{- define "imagebuilder.dockerConfig" -}}
{{- with .Values.registry -}}
{{- /* docker and the kubelet look for Docker Hub under its first address only */ -}}
{{- $hub := list "docker.io" "index.docker.io" "registry-1.docker.io" "registry.hub.docker.com" -}}
{{- $server := ternary "https://index.docker.io/v1/" .server (has .server $hub) -}}
{{- $entry := dict "username" .username "password" .password "auth" (printf "%s:%s" .username .password | b64enc) -}}
{{ dict "auths" (dict $server $entry) | toJson }}
{{- end -}}
{{- end }}

{{- define "imagebuilder.egress" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: {{ .Values.networkPolicy.blockedCIDRs | toJson }}
    - ipBlock:
        cidr: ::/0
        except: {{ .Values.networkPolicy.blockedCIDRsIPv6 | toJson }}
{{- with .Values.networkPolicy.dns.namespaces }}
- to:
    - namespaceSelector:
        matchExpressions:
          - key: kubernetes.io/metadata.name
            operator: In
            values: {{ toJson . }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
    - {port: 5353, protocol: UDP}
    - {port: 5353, protocol: TCP}
{{- end }}
{{- with .Values.networkPolicy.dns.cidrs }}
- to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
