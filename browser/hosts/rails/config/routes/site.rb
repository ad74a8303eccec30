post '/login', to: 'sessions#create'
post '/logout', to: 'sessions#destroy'
get '/behind-the-login/:project', to: 'late#show'
get '/without-constraint/:project', to: 'presence#show'
