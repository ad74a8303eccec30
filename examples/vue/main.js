import {createApp} from 'vue';
import App from './App.vue';
import '../shared.css';

createApp(App).mount('#app');
