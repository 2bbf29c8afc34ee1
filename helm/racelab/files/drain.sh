# The edge may send requests here until DNS has forgotten this Pod, and a worker that ends drops what waits in its
# backlog. So: stay for the drain time, then until nobody has been connected to port 8000 (1F40) for two seconds. A
# connection that this side closed stays listed for 60 s; 03:000016A8 are 58 of them to go, in hundredths.
sleep {{ .Values.bank.drainSeconds }}
while cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  awk '$2 ~ /:1F40$/ && $4 != "0A" && ($4 != "06" || $6 > "03:000016A8") { open = 1 } END { exit !open }'
do sleep 0.2; done
